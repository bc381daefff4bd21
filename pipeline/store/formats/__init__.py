"""What rests in Redis, written and read: fields, records, and what is sealed."""
