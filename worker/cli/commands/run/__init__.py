"""Submitting campaigns and working them."""
