"""Prints the table of codes: `python -m pipeline.domain.codes`."""

import sys

from pipeline.domain.codes.table import markdown

sys.stdout.write(markdown() + "\n")
