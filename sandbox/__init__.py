"""A rewards API and a mail sink on loopback, with switches for everything that can go wrong."""
