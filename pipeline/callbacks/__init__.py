"""What comes back from outside: signed tokens, return paths, delivery status notifications."""
