"""Writes the file of the rows that were left out."""

import csv
from collections.abc import Sequence
from typing import TextIO

from pipeline.intake.row_validation import ValidatedRow


class RejectedRows:
    """
    Writes CSV: the line, the problem, then the row as it was.

    The two new columns come first, so that a row with too many values keeps all of them. Of
    NDJSON the column `row` holds the line itself.
    """

    def __init__(self, output: TextIO, columns: Sequence[str]) -> None:
        self._writer = csv.writer(output, lineterminator="\n")
        self._columns = columns
        self._begun = False

    def write(self, row: ValidatedRow) -> None:
        if not self._begun:
            self._begun = True
            self._writer.writerow(["line", "problem", *self._columns])
        problem = "; ".join(f"{field or 'row'}: {message}" for field, message in row.faults)
        self._writer.writerow([row.raw.line, problem, *row.raw.original])
