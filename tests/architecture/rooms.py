"""
The folders of the code and their arrows, read off its imports.

`make docs` writes them into docs/internals/architecture.md; so does
`python -m tests.architecture.rooms`.
"""

import ast
import functools
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp

from tests.support.root import ROOT

DOCUMENT = ROOT / "docs" / "internals" / "architecture.md"
BEGIN, END = "<!-- rooms: begin -->\n", "<!-- rooms: end -->\n"
PACKAGES = ("worker", "channels", "pipeline", "config", "sandbox", "bench")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A folder or a module: what it holds, how many modules, and which rooms these import."""

    name: str
    holds: str
    modules: str
    uses: Sequence[str]


def houses() -> Mapping[str, Sequence[str]]:
    """Return the rooms of every package whose order is enforced, from the top floor down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    return {
        house: [room.strip() for floor in contract["layers"] for room in floor.split("|")]
        for contract in contracts
        if contract["type"] == "layers"
        for house in contract.get("containers", [])
    }


def rooms(house: str, names: Sequence[str]) -> Iterator[Room]:
    """Yield the rooms *names* of a package with their arrows to others of the same package."""
    for name in names:
        uses = [
            other
            for other in names
            if other != name and _uses(f"{house}.{name}", f"{house}.{other}")
        ]
        path = ROOT.joinpath(*house.split("."), name)
        yield Room(name=name, holds=_holds(path), modules=_count(path), uses=uses)


def as_markdown() -> str:
    """Return a table per package, rooms from the top floor down."""
    return "\n\n".join(_table(house, names) for house, names in houses().items()) + "\n"


def renewed(document: str) -> str:
    """Return *document* with today's rooms between the marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{as_markdown()}\n{END}{after}"


def _table(house: str, names: Sequence[str]) -> str:
    found = list(rooms(house, names))
    arrows = sum(len(room.uses) for room in found)
    lines = [
        f"### {house}: {len(found)} rooms, {arrows} arrows, none up",
        "",
        "| room | holds | modules | imports |",
        "|---|---|---|---|",
        *(
            f"| `{room.name}` | {room.holds} | {room.modules} | {', '.join(room.uses) or '-'} |"
            for room in found
        ),
    ]
    return "\n".join(lines)


def modules_in(folder: Path) -> int:
    """Return how many modules stand in a folder itself; `__init__` says what it holds."""
    return sum(file.name != "__init__.py" for file in folder.glob("*.py"))


def _holds(path: Path) -> str:
    """Return what a room says of itself: the first line of its docstring."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".").replace("|", "or")


def _count(path: Path) -> str:
    """Return the number of modules in a folder, then that in each of its own folders."""
    if not path.is_dir():
        return ""
    below = sorted(folder for folder in path.iterdir() if (folder / "__init__.py").exists())
    inside = [f"{folder.name} {modules_in(folder)}" for folder in below if modules_in(folder)]
    return ", ".join([str(modules_in(path)), *inside])


def _uses(importer: str, imported: str) -> bool:
    graph, targets = _graph(), _modules(imported)
    return any(targets & graph.find_modules_directly_imported_by(m) for m in _modules(importer))


@functools.cache
def _modules(room: str) -> frozenset[str]:
    return frozenset({room, *_graph().find_descendants(room)})


@functools.cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text("utf-8")), "utf-8")
    sys.stdout.write(as_markdown())
