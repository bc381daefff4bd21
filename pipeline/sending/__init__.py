"""From a due delivery to a recorded result."""
