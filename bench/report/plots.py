"""Line charts as SVG, without a library: what a run draws has one shape only."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.report.tables import number

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
# Told apart by people who see colours differently too: Okabe and Ito.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
_TICKS = 5


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where values of one axis lie on the paper."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high, found = (
            (math.log10(each) if self.log else each) for each in (self.low, self.high, value)
        )
        return self.start + (found - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            yield from (10.0**power for power in range(first, last + 1))
        else:
            yield from (
                self.low + (self.high - self.low) * step / _TICKS for step in range(_TICKS + 1)
            )


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    log_x: bool = False,
) -> str:
    """
    Return an SVG document with one line per name, points in order of x.

    The y axis starts at 0. With *log_x* every x must be above 0. Raises ValueError without points.
    """
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    if not xs:
        msg = "there are no points to draw"
        raise ValueError(msg)
    across = _Scale(*_range(xs, log=log_x), _LEFT, _WIDTH - _RIGHT, log=log_x)
    up = _Scale(0, _ceiling(max(ys)), _HEIGHT - _BOTTOM, _TOP)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'{head} font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_WIDTH / 2, 20, title, size=15),
        _text(_WIDTH / 2, _HEIGHT - 10, x_label),
        _text(_LEFT, _TOP - 10, y_label),
        *_grid(across, up),
    ]
    for position, (name, points) in enumerate(lines.items()):
        parts += _line(name, points, across, up, position)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _range(xs: Sequence[float], *, log: bool) -> tuple[float, float]:
    if log:
        low = 10.0 ** math.floor(math.log10(min(xs)))
        return low, max(10.0 ** math.ceil(math.log10(max(xs))), 10 * low)
    return min(0.0, *xs), _ceiling(max(xs))


def _ceiling(value: float) -> float:
    """Return the next round number, so that five steps are round too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _grid(across: _Scale, up: _Scale) -> Iterator[str]:
    for value in up.ticks():
        y = up.at(value)
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
        yield _text(_LEFT - 8, y + 4, number(value), anchor="end")
    for value in across.ticks():
        yield _text(across.at(value), _HEIGHT - _BOTTOM + 18, number(value))


def _line(
    name: str, points: Sequence[tuple[float, float]], across: _Scale, up: _Scale, position: int
) -> Iterator[str]:
    colour = _COLOURS[position % len(_COLOURS)]
    path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points if len(points) < 20 else ():
        yield f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3" fill="{colour}"/>'
    y = _HEIGHT - _BOTTOM - 12 - 16 * position
    yield _text(_WIDTH - _RIGHT - 8, y, name, anchor="end", colour=colour)


def _text(
    x: float, y: float, text: str, *, anchor: str = "middle", size: int = 12, colour: str = "#333"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(text)}</text>'
    )
