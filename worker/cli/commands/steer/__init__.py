"""Changing what goes on."""
