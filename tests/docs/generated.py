"""
The parts of the documents that the code knows, and how they are renewed.

`make docs` writes all of them; a test fails where a document has another text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.codes.table import markdown as codes
from tests.architecture.rooms import as_markdown as rooms
from tests.docs.data_model.parts import PARTS as DATA_MODEL
from tests.docs.internals.parts import PARTS as INTERNALS
from tests.docs.operate.parts import PARTS as OPERATE
from tests.docs.reference.commands import commands, summary
from tests.docs.settings import settings_tables
from tests.support.root import ROOT


@dataclass(frozen=True, slots=True)
class Generated:
    """
    What `render()` returns stands in the document *path* between the marks of *name*.

    The marks are `<!-- NAME: begin -->` and `<!-- NAME: end -->`, each on a line of its own.
    """

    path: str
    name: str
    render: Callable[[], str]

    def renewed(self, document: str) -> str:
        """Return *document* with today's text; ValueError where it has not one pair of marks."""
        begin, end = (f"<!-- {self.name}: {side} -->\n" for side in ("begin", "end"))
        if document.count(begin) != 1 or document.count(end) != 1:
            msg = f"{self.path} needs one line {begin.strip()} and one line {end.strip()}"
            raise ValueError(msg)
        before, rest = document.split(begin)
        _, after = rest.split(end)
        return f"{before}{begin}\n{self.render().strip()}\n\n{end}{after}"


GENERATED: Sequence[Generated] = (
    Generated("docs/operate/settings.md", "settings", settings_tables),
    *(Generated(*part) for part in OPERATE),
    Generated("docs/internals/architecture.md", "rooms", rooms),
    *(Generated(*part) for part in INTERNALS),
    Generated("docs/reference/codes.md", "codes", codes),
    *(Generated(*part) for part in DATA_MODEL),
    Generated("docs/reference/commands.md", "summary", summary),
    Generated("docs/reference/commands.md", "commands", commands),
)


def renew(root: Path = ROOT) -> Sequence[Generated]:
    """Write today's text into all documents below *root*; return what was different."""
    found = list(differences(root))
    for each in found:
        path = root / each.path
        path.write_text(each.renewed(path.read_text("utf-8")), "utf-8")
    return found


def differences(root: Path = ROOT) -> Iterator[Generated]:
    """Yield every part that differs from what its document has."""
    for each in GENERATED:
        there = (root / each.path).read_text("utf-8")
        if each.renewed(there) != there:
            yield each
