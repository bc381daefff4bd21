import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rewards.statuses import Progress, progress

COMPLETED = ("Completed", "Complete", "Fulfilled")
FAILED = ("Failed", "Cancelled", "Canceled", "Rejected")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Completed", Progress.COMPLETED),
        (" COMPLETE\n", Progress.COMPLETED),
        ("fulfilled", Progress.COMPLETED),
        ("failed", Progress.FAILED),
        ("CANCELED", Progress.FAILED),
        ("Pending", Progress.WAITING),
        ("In Progress", Progress.WAITING),
        ("in_progress", Progress.WAITING),
        ("InProgress", Progress.WAITING),
        ("queued", Progress.WAITING),
        ("OnHold", Progress.UNKNOWN),
        ("Partially Completed", Progress.UNKNOWN),
        ("Not Completed", Progress.UNKNOWN),
        ("", Progress.UNKNOWN),
        ("--", Progress.UNKNOWN),
        (None, Progress.UNKNOWN),
    ],
)
def test_a_status_means_one_thing_in_any_spelling(status: str | None, expected: Progress) -> None:
    assert progress(status, COMPLETED, FAILED) is expected


def test_settings_win_over_the_words_known_here() -> None:
    assert progress("Accepted", ["accepted"], []) is Progress.COMPLETED
    assert progress("Open", [], ["OPEN"]) is Progress.FAILED


def test_a_word_set_both_ways_is_unknown() -> None:
    assert progress("Done", ["Done"], ["done"]) is Progress.UNKNOWN


@given(st.text())
def test_nothing_but_the_words_that_are_set_ends_an_order(status: str) -> None:
    bare = "".join(filter(str.isalnum, status.casefold()))
    found = progress(status, COMPLETED, FAILED)
    assert (found is Progress.COMPLETED) == (bare in {"completed", "complete", "fulfilled"})
