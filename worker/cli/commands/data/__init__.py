"""People's data: who may not be written to, and what is removed."""
