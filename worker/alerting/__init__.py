"""Alerts looked for and sent."""
