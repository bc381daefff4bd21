"""All defects; each must be caught by its test, or the tests prove less than they say."""

from tests.mutants.defect import Defect
from tests.mutants.guarding import GUARDING
from tests.mutants.leasing import LEASING
from tests.mutants.ordering import ORDERING
from tests.mutants.sending import SENDING

DEFECTS: tuple[Defect, ...] = (*LEASING, *ORDERING, *SENDING, *GUARDING)


def markdown() -> str:
    """Return the table that docs/internals/testing.md shows."""
    rows = ["| defect | what it would cost | test that goes red |", "|---|---|---|"]
    rows += [f"| {d.name} | {d.costs} | `{d.test_name}` |" for d in DEFECTS]
    return "\n".join(rows)
