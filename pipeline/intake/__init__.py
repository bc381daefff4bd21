"""From a file or JSON to a committed campaign."""
