"""The ledger: every key in Redis, and every transition as one Lua script."""
