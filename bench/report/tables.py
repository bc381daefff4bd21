"""Results as tables: aligned for a terminal, and in Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from bench.report.figures import Figure, Results

SECTIONS = (
    "Ratios",
    "Throughput",
    "Resources",
    "Intake",
    "Around it",
    "Scale",
    "Million",
    "Fair",
    "Where the time goes",
)
"""In the order in which they are shown; ratios first, as they outlive the machine."""

_HEAD = ("", "median", "lowest", "highest", "unit")


def number(value: float) -> str:
    """Return three digits, or all of the integer part: 0.71, 12.3, 4,512."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def as_text(results: Results) -> str:
    """Return everything for a terminal."""
    lines = [f"{name:<12} {value}" for name, value in results.machine.items()]
    for section, figures in _sections(results):
        rows = [(section, *_HEAD[1:]), *(_row(figure) for figure in figures)]
        lines += ["", *_aligned(rows)]
    remarks = [f"{figure.what}: {figure.note}" for figure in results.figures if figure.note]
    return "\n".join([*lines, "", *(f"* {note}" for note in [*remarks, *results.notes])]) + "\n"


def as_markdown(results: Results) -> str:
    """Return tables, notes and machine as they stand in their page."""
    blocks = []
    for section, figures in _sections(results):
        lines = [f"| {section} | {' | '.join(_HEAD[1:])} |", "|---|---:|---:|---:|---|"]
        lines += [f"| {' | '.join(_row(figure))} |" for figure in figures]
        blocks.append("\n".join(lines))
    remarks = [f"- {figure.what}: {figure.note}" for figure in results.figures if figure.note]
    remarks += [f"- {note}" for note in results.notes]
    if remarks:
        blocks.append("\n".join(remarks))
    machine = "; ".join(f"{name}: {value}" for name, value in results.machine.items())
    return "\n\n".join([*blocks, f"Measured on: {machine}."]) + "\n"


def _sections(results: Results) -> Iterator[tuple[str, list[Figure]]]:
    found = {figure.section for figure in results.figures}
    for section in (*SECTIONS, *sorted(found.difference(SECTIONS))):
        figures = [figure for figure in results.figures if figure.section == section]
        if figures:
            yield section, figures


def _row(figure: Figure) -> tuple[str, ...]:
    if len(figure.values) == 1:
        return (figure.what, number(figure.median), "", "", figure.unit)
    low, high = number(min(figure.values)), number(max(figure.values))
    return (figure.what, number(figure.median), low, high, figure.unit)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others[:-1], widths[1:], strict=False)]
        yield f"{first:<{widths[0]}}  {'  '.join(cells)}  {others[-1]}".rstrip()
