"""The dictionary itself: an entry for every key, field, letter and purpose."""
