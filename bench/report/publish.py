"""`python -m bench.report.publish RESULTS.json`: tables of the page, plots, the ratio for CI."""

import sys
from pathlib import Path
from statistics import median

from bench.report.figures import Results
from bench.report.plots import line_chart
from bench.report.recorded import FILE, KEY, record
from bench.report.tables import as_markdown
from bench.world.processes import ROOT

PAGE = ROOT / "docs" / "internals" / "benchmarks.md"
FOLDER = PAGE.with_suffix("")
RESULTS = FOLDER / "bench.json"
"""The page of the figures, and the folder beside it for plots and what they are made from."""

BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
_PLOTS = {
    "throughput": ("Throughput over time", "seconds", "people/s", "throughput, "),
    "million": ("Throughput over time, a million people", "seconds", "people/s", "million, "),
    "cost": ("Cost per recipient by size of the campaign", "recipients", "µs", "cost, "),
    "memory": ("Memory of Valkey per recipient", "recipients", "bytes", "memory, "),
}
_BY_SIZE = {"cost", "memory"}
"""Plots over the number of recipients, which spans powers of ten."""


def publish(results: Results, root: Path = ROOT) -> None:
    """Renew the page, its folder and the recorded ratio below *root*; may be called again."""
    page, folder = root / PAGE.relative_to(ROOT), root / FOLDER.relative_to(ROOT)
    folder.mkdir(exist_ok=True)
    for name, svg in plots(results).items():
        (folder / f"{name}.svg").write_text(svg, "utf-8")
    (root / RESULTS.relative_to(ROOT)).write_text(results.to_json(), "utf-8")
    page.write_text(renewed(page.read_text("utf-8"), published(results)), "utf-8")
    small = results.figure(KEY)
    if small is not None:
        record(median(small.values), results.machine["date"], root / FILE.relative_to(ROOT))


def plots(results: Results) -> dict[str, str]:
    """Return the SVG documents that the results have points for, by name."""
    found = {}
    for name, (title, x_label, y_label, prefix) in _PLOTS.items():
        lines = {
            key.removeprefix(prefix): points
            for key, points in results.series.items()
            if key.startswith(prefix) and points
        }
        if lines:
            found[name] = line_chart(title, x_label, y_label, lines, log_x=name in _BY_SIZE)
    return found


def published(results: Results) -> str:
    """Return what stands in the page between the marks."""
    pictures = [f"![{_PLOTS[name][0]}]({FOLDER.name}/{name}.svg)" for name in plots(results)]
    return "\n".join([as_markdown(results), *pictures])


def renewed(page: str, text: str) -> str:
    """Return *page* with *text* between the marks; raises ValueError if they are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{PAGE.name} has no place for the figures"
        raise ValueError(msg)
    return f"{before}{begin}\n{text.strip()}\n\n{end}{after}"


if __name__ == "__main__":
    publish(Results.from_json(Path(sys.argv[1]).read_text("utf-8")))
