"""Benchmarks: ratios to the ceiling, measured in one run."""
