"""The domain: from a list of people to one link each, and the ledger that proves it."""
