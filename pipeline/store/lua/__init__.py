"""The verbs, Lua scripts that do one step each to the ledger, and `lib`, which they share."""
