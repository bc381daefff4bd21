"""The arq worker: its slots, its queue, and the jobs that work units."""
