"""Prints the README's table of codes: `python -m pipeline.reasons`."""

import sys

from pipeline.reasons.table import markdown

sys.stdout.write(markdown() + "\n")
