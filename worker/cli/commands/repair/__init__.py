"""Finding what is wrong, and moving on what only a person can move."""
