"""How much may have been sent and is not recorded yet."""

import asyncio

import pytest

from pipeline.domain.errors import BackpressureError
from pipeline.sending.unrecorded_window import UnrecordedWindow


def refused(unrecorded_window: UnrecordedWindow, attempt: str) -> asyncio.Future[None]:
    """Return what to wait for, as *attempt* may not leave yet."""
    with pytest.raises(BackpressureError) as caught:
        unrecorded_window.enter(attempt)
    return caught.value.room


async def test_as_many_may_leave_as_are_allowed_and_who_asks_again_is_one() -> None:
    unrecorded_window = UnrecordedWindow(2)
    for attempt in ("a", "b", "b", "a"):
        unrecorded_window.enter(attempt)
    room = refused(unrecorded_window, "c")
    assert refused(unrecorded_window, "d") is room
    unrecorded_window.leave("a")
    assert room.done()
    unrecorded_window.enter("c")
    assert not refused(unrecorded_window, "d").done(), "who comes too late waits for the next one"


async def test_what_never_left_makes_no_room() -> None:
    unrecorded_window = UnrecordedWindow(1)
    unrecorded_window.enter("a")
    room = refused(unrecorded_window, "b")
    unrecorded_window.leave("c")
    assert room.done(), "it may be that the lease was lost meanwhile: worth asking"
    refused(unrecorded_window, "b")


async def test_a_wait_that_is_cancelled_takes_nobody_along() -> None:
    unrecorded_window = UnrecordedWindow(1)
    unrecorded_window.enter("a")
    refused(unrecorded_window, "b").cancel()
    assert not refused(unrecorded_window, "c").cancelled()
    refused(unrecorded_window, "c").cancel()
    unrecorded_window.leave("a")
    unrecorded_window.enter("b")
