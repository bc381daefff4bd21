"""How a message goes out: one adapter per channel."""
