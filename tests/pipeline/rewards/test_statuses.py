import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rewards.statuses import OrderProgress, order_progress

COMPLETED = ("Completed", "Complete", "Fulfilled")
FAILED = ("Failed", "Cancelled", "Canceled", "Rejected")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Completed", OrderProgress.COMPLETED),
        (" COMPLETE\n", OrderProgress.COMPLETED),
        ("fulfilled", OrderProgress.COMPLETED),
        ("failed", OrderProgress.FAILED),
        ("CANCELED", OrderProgress.FAILED),
        ("Pending", OrderProgress.WAITING),
        ("In Progress", OrderProgress.WAITING),
        ("in_progress", OrderProgress.WAITING),
        ("InProgress", OrderProgress.WAITING),
        ("queued", OrderProgress.WAITING),
        ("OnHold", OrderProgress.UNKNOWN),
        ("Partially Completed", OrderProgress.UNKNOWN),
        ("Not Completed", OrderProgress.UNKNOWN),
        ("", OrderProgress.UNKNOWN),
        ("--", OrderProgress.UNKNOWN),
        (None, OrderProgress.UNKNOWN),
    ],
)
def test_a_status_means_one_thing_in_any_spelling(
    status: str | None, expected: OrderProgress
) -> None:
    assert order_progress(status, COMPLETED, FAILED) is expected


def test_settings_win_over_the_words_known_here() -> None:
    assert order_progress("Accepted", ["accepted"], []) is OrderProgress.COMPLETED
    assert order_progress("Open", [], ["OPEN"]) is OrderProgress.FAILED


def test_a_word_set_both_ways_is_unknown() -> None:
    assert order_progress("Done", ["Done"], ["done"]) is OrderProgress.UNKNOWN


@given(st.text())
def test_nothing_but_the_words_that_are_set_ends_an_order(status: str) -> None:
    bare = "".join(filter(str.isalnum, status.casefold()))
    found = order_progress(status, COMPLETED, FAILED)
    assert (found is OrderProgress.COMPLETED) == (bare in {"completed", "complete", "fulfilled"})
