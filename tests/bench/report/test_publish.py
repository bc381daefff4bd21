"""The page of the benchmarks is renewed from the results of a run, and shows nothing else."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.report.figures import Results
from bench.report.publish import (
    BEGIN,
    END,
    FOLDER,
    PAGE,
    RESULTS,
    plots,
    publish,
    renewed,
)
from bench.report.recorded import KEY, recorded
from tests.support.root import ROOT


@pytest.fixture
def results() -> Results:
    found = Results(machine={"CPU": "x", "date": "2026-11-22"})
    found.add("Ratios", KEY, "what CI compares with", "", 0.6, 0.8, 0.7)
    found.series["throughput, 1 worker"] = [(0.5, 100.0), (1.5, 200.0)]
    found.series["cost, time"] = [(1000.0, 300.0), (10_000.0, 250.0)]
    found.series["memory, at last"] = [(1000.0, 200.0)]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bench" / "report").mkdir(parents=True)
    page = tmp_path / PAGE.relative_to(ROOT)
    page.parent.mkdir(parents=True)
    page.write_text(f"# x\n\n{BEGIN}\nold\n\n{END}\nrest\n", "utf-8")
    return tmp_path


def test_everything_is_renewed_by_one_call_that_may_be_repeated(
    results: Results, project: Path
) -> None:
    publish(results, project)
    page = project / PAGE.relative_to(ROOT)
    first = page.read_text("utf-8")
    publish(results, project)
    assert page.read_text("utf-8") == first
    assert first.startswith("# x\n")
    assert first.endswith("rest\n")
    assert "old" not in first
    assert "what CI compares with" in first
    assert recorded(project / "bench" / "report" / "recorded.json") == 0.7
    for name in ("throughput", "cost", "memory"):
        picture = f"{FOLDER.name}/{name}.svg"
        assert f"({picture})" in first
        ET.parse(page.parent / picture)  # noqa: S314 - made by ourselves
    kept = (project / RESULTS.relative_to(ROOT)).read_text("utf-8")
    assert Results.from_json(kept) == results


def test_only_what_was_measured_is_drawn(results: Results) -> None:
    del results.series["cost, time"]
    assert set(plots(results)) == {"throughput", "memory"}


def test_a_page_without_a_place_for_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        renewed("# x\n", "text")


def test_every_plot_that_the_page_shows_is_there() -> None:
    shown = set(re.findall(r"\]\(benchmarks/([^)]+)\)", PAGE.read_text("utf-8")))
    assert shown == {path.name for path in FOLDER.glob("*.svg")}
