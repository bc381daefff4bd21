"""The pages of reference: how they are made, and that they are true."""
