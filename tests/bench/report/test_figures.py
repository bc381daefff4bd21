"""The arithmetic between what was measured and what is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.figures import Results, rates, ratios, worst_window


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([50, 30], [100, 30]) == (0.5, 1.0)
    with pytest.raises(ValueError, match="argument 2"):
        ratios([1], [1, 2])


def test_rates_are_those_of_each_stretch() -> None:
    progress = [(0.0, 0), (0.2, 10), (0.5, 100), (0.9, 150), (1.0, 200)]
    assert rates(progress, 0.5) == [(0.25, 200.0), (0.75, 200.0)]


@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 60))
def test_permits_that_keep_to_a_limit_never_use_more_than_it_allows(
    rate: int, burst: int, number: int
) -> None:
    moments = [0.0] * burst + [n / rate for n in range(1, number + 1)]
    assert worst_window(moments, rate, burst) == pytest.approx(1.0)


def test_a_clump_is_found_and_a_longer_window_evens_it_out() -> None:
    moments = [0.0, 1.0, 1.0, 1.0, 1.0, 2.0]
    assert worst_window(moments, 1, 1) == 4.0
    assert worst_window(moments, 1, 1, shortest=2.0) == 2.0


def test_results_are_read_as_they_were_written() -> None:
    results = Results(machine={"CPU": "x"}, notes=["no smtp-sink"])
    results.add("Ratios", "a", "A", "", 1.0, 2.0, note="of note")
    results.series["cost, time"] = [(1.0, 2.0)]
    again = Results.from_json(results.to_json())
    assert again == results
    assert again.figure("a") == results.figures[0]


def test_a_figure_that_is_measured_again_replaces_the_first() -> None:
    results = Results(machine={})
    results.add("Ratios", "a", "A", "", 1.0)
    results.add("Ratios", "a", "A", "", 3.0, 5.0, 4.0)
    [figure] = results.figures
    assert figure.median == 4.0
