"""Settings, keys and logging."""
