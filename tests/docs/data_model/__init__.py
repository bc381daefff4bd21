"""The dictionary of what rests in Redis, from which docs/internals/data-model.md is made."""
