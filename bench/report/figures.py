"""What a run has measured: figures with a value per round, and ratios within rounds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Self

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was measured, with one value per round; *note* says what to know of it."""

    section: str
    key: str
    what: str
    unit: str
    values: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.values)


@dataclass(slots=True, kw_only=True)
class Results:
    """
    Everything that one run leaves behind.

    `series` holds the points of the plots, `notes` what could not be measured on this machine.
    """

    machine: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, Points] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(
        self, section: str, key: str, what: str, unit: str, *values: float, note: str = ""
    ) -> None:
        """Add a figure; one of an earlier part with the same key is replaced."""
        self.figures = [figure for figure in self.figures if figure.key != key]
        self.figures.append(
            Figure(section=section, key=key, what=what, unit=unit, values=values, note=note)
        )

    def figure(self, key: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.key == key), None)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has written; raises ValueError or KeyError on anything else."""
        found: Mapping[str, Any] = json.loads(text)
        return cls(
            machine=dict(found["machine"]),
            figures=[
                Figure(**{**figure, "values": tuple(figure["values"])})
                for figure in found["figures"]
            ],
            series={
                name: [(float(x), float(y)) for x, y in points]
                for name, points in found["series"].items()
            },
            notes=list(found["notes"]),
        )


def ratios(measured: Sequence[float], base: Sequence[float]) -> tuple[float, ...]:
    """Return measured / base round by round: what disturbs a round disturbs both alike."""
    return tuple(one / other for one, other in zip(measured, base, strict=True))


def rates(progress: Sequence[tuple[float, int]], step: float) -> Points:
    """
    Return (middle, per second) for each stretch of at least *step* seconds of a count.

    *progress* holds (seconds, count so far) in order of time.
    """
    found: Points = []
    since, before = 0.0, 0
    for at, count in progress:
        if at - since >= step:
            found.append(((at + since) / 2, (count - before) / (at - since)))
            since, before = at, count
    return found


def worst_window(
    moments: Sequence[float], rate: float, burst: float, *, shortest: float = 0
) -> float:
    """
    Return the largest share of what a limit allows that was used in any window.

    *moments* are seconds, one per permit, in order. A window from one to another may hold
    rate * length + burst of them; 1 is all that is allowed, more is too much. Windows below
    *shortest* seconds are not looked at.
    """
    worst = 0.0
    for first, start in enumerate(moments):
        for last in range(first, len(moments)):
            length = moments[last] - start
            if length >= shortest:
                worst = max(worst, (last - first + 1) / (rate * length + burst))
    return worst
