"""The invariants, recounted from what is stored and from what the rewards API has."""
