"""How much may have been sent and is not recorded yet."""

import asyncio

import pytest

from pipeline.domain.errors import CrowdedError
from pipeline.sending.unrecorded_window import Exposure


def refused(exposure: Exposure, attempt: str) -> asyncio.Future[None]:
    """Return what to wait for, as *attempt* may not leave yet."""
    with pytest.raises(CrowdedError) as caught:
        exposure.enter(attempt)
    return caught.value.room


async def test_as_many_may_leave_as_are_allowed_and_who_asks_again_is_one() -> None:
    exposure = Exposure(2)
    for attempt in ("a", "b", "b", "a"):
        exposure.enter(attempt)
    room = refused(exposure, "c")
    assert refused(exposure, "d") is room
    exposure.leave("a")
    assert room.done()
    exposure.enter("c")
    assert not refused(exposure, "d").done(), "who comes too late waits for the next one"


async def test_what_never_left_makes_no_room() -> None:
    exposure = Exposure(1)
    exposure.enter("a")
    room = refused(exposure, "b")
    exposure.leave("c")
    assert room.done(), "it may be that the lease was lost meanwhile: worth asking"
    refused(exposure, "b")


async def test_a_wait_that_is_cancelled_takes_nobody_along() -> None:
    exposure = Exposure(1)
    exposure.enter("a")
    refused(exposure, "b").cancel()
    assert not refused(exposure, "c").cancelled()
    refused(exposure, "c").cancel()
    exposure.leave("a")
    exposure.enter("b")
