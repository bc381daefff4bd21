"""CI compares a ratio with half of the recorded one, never a time."""

from pathlib import Path

import pytest

from bench.report.recorded import judge, record, recorded


@pytest.mark.parametrize(
    ("measured", "holds"),
    [((0.36, 0.1, 0.9), True), ((0.35,), True), ((0.34,), False), ((0.9, 0.1, 0.2), False)],
)
def test_the_median_must_reach_half_of_what_is_recorded(
    measured: tuple[float, ...], *, holds: bool
) -> None:
    verdict = judge(measured, 0.7)
    assert verdict.holds == holds
    assert "0.70 is recorded" in verdict.text


def test_without_a_published_run_it_only_has_to_run() -> None:
    verdict = judge((0.01,), None)
    assert verdict.holds
    assert "no full run" in verdict.text


def test_what_was_recorded_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "recorded.json"
    assert recorded(file) is None
    record(0.71234, "2026-11-22", file)
    assert recorded(file) == 0.712
