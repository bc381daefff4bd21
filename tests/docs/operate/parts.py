"""What is generated in the pages for operators: path, name, and what renders it."""

from collections.abc import Callable, Sequence

from tests.docs.operate.figures import figures

PARTS: Sequence[tuple[str, str, Callable[[], str]]] = (
    ("docs/operate/scaling.md", "figures", figures),
)
