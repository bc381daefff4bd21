"""A rewards API, a mail sink and an SMS API on loopback, with switches for what can go wrong."""
