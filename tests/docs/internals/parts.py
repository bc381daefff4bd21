"""What is generated in the pages about the inside: page, mark, and who makes the text."""

from collections.abc import Callable, Sequence

from bench.report.figures import Results
from bench.report.publish import RESULTS, published
from tests.docs.internals.faults import fault_tables
from tests.docs.internals.rfcs import markdown as rfcs
from tests.mutants.defects import markdown as mutants


def figures() -> str:
    """Return the figures of the bench that were published last."""
    return published(Results.from_json(RESULTS.read_text("utf-8")))


PARTS: Sequence[tuple[str, str, Callable[[], str]]] = (
    ("docs/internals/benchmarks.md", "bench", figures),
    ("docs/internals/rfc-index.md", "rfcs", rfcs),
    ("docs/internals/testing.md", "faults", fault_tables),
    ("docs/internals/testing.md", "mutants", mutants),
)
