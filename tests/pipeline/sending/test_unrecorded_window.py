"""The limit of messages that may have been sent without a record."""

import asyncio

import pytest

from pipeline.domain.errors import BackpressureError
from pipeline.sending.unrecorded_window import UnrecordedWindow


def refused(unrecorded_window: UnrecordedWindow, attempt: str) -> asyncio.Future[None]:
    """Return the future to wait for, because *attempt* may not be sent yet."""
    with pytest.raises(BackpressureError) as caught:
        unrecorded_window.enter(attempt)
    return caught.value.room


async def test_no_more_attempts_enter_than_allowed_and_one_counts_once() -> None:
    unrecorded_window = UnrecordedWindow(2)
    for attempt in ("a", "b", "b", "a"):
        unrecorded_window.enter(attempt)
    room = refused(unrecorded_window, "c")
    assert refused(unrecorded_window, "d") is room
    unrecorded_window.leave("a")
    assert room.done()
    unrecorded_window.enter("c")
    assert not refused(unrecorded_window, "d").done(), "who comes too late waits for the next one"


async def test_leaving_without_entering_frees_no_place() -> None:
    unrecorded_window = UnrecordedWindow(1)
    unrecorded_window.enter("a")
    room = refused(unrecorded_window, "b")
    unrecorded_window.leave("c")
    assert room.done(), "it may be that the lease was lost meanwhile: worth asking"
    refused(unrecorded_window, "b")


async def test_a_cancelled_wait_does_not_cancel_other_waits() -> None:
    unrecorded_window = UnrecordedWindow(1)
    unrecorded_window.enter("a")
    refused(unrecorded_window, "b").cancel()
    assert not refused(unrecorded_window, "c").cancelled()
    refused(unrecorded_window, "c").cancel()
    unrecorded_window.leave("a")
    unrecorded_window.enter("b")
