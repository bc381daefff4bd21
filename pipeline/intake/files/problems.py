"""Problems with the input, each one line for people."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

PROBLEMS_SHOWN = 50
"""How many problems are kept unless the caller wants all."""

_LONGEST_NAME = 60
_LONGEST_PATH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    One thing that is wrong, and what to do about it.

    `where` is the file's name, its path as it was given if it cannot be opened, or "recipients"
    for a list; `line` and `column` count from 1 (of a list, `line` is the entry); `field` is the
    column or the dotted key. The message never holds an address, a name or another value of a
    recipient.
    """

    where: str
    message: str
    line: int | None = None
    column: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        place = [one_line(self.where, _LONGEST_PATH)]
        if self.line is not None:
            place.append(f"line {self.line}")
        if self.column is not None:
            place.append(f"column {self.column}")
        field = f"{one_line(self.field)}: " if self.field else ""
        return f"{', '.join(place)}: {field}{self.message}"

    def as_json(self) -> dict[str, str | int | None]:
        """Return the problem for `--json`."""
        return asdict(self)


class ProblemLog:
    """Keeps the first *keep* problems (None: all of them) and counts the rest."""

    def __init__(self, keep: int | None = PROBLEMS_SHOWN) -> None:
        self._keep = keep
        self.kept: list[Problem] = []
        self.total = 0

    def add(self, problems: Iterable[Problem]) -> None:
        """Count a problem, and keep it if it is among the first."""
        for problem in problems:
            self.total += 1
            if self._keep is None or len(self.kept) < self._keep:
                self.kept.append(problem)


def one_line(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return *text* fit for a terminal: printable, and at most *longest* characters."""
    printable = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return printable if len(printable) <= longest else printable[: longest - 1] + "…"
