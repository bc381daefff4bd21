"""Moving on what only a person can move."""
