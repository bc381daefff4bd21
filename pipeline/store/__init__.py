"""The ledger in Redis: what is stored there, and every transition as one Lua script."""
