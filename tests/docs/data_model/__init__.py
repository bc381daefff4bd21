"""What rests in Redis: the dictionary behind docs/internals/data-model.md, and its checks."""
