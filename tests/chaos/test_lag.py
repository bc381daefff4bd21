"""A machine that stands still is seen to, for as long as it does."""

import asyncio
import time

from tests.chaos.lag import measured_lag
from tests.support.waiting import wait_until


async def test_a_stall_is_measured() -> None:
    began = time.monotonic()
    async with measured_lag() as lag:
        await asyncio.sleep(0)  # the measuring begins
        time.sleep(0.3)  # noqa: ASYNC251 - a stall is what it is about
        await wait_until(lambda: lag.worst >= 0.25)
    assert lag.worst <= time.monotonic() - began
