"""Old Lua scripts against new ones: the same calls, the same replies, the same data."""
