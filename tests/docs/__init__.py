"""What the documents say is so: what is generated in them, and what they name and show."""
