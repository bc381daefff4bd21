"""The mail sink: what is taken in, where it is kept, what bounces."""
