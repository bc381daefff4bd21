"""What is stored in Redis, written and read: fields, records, and sealed values."""
