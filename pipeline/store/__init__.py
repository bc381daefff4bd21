"""The ledger in Redis: what rests there, and every transition as one Lua script."""
