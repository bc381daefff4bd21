"""Looking at campaigns; nothing is changed."""
