"""How long this machine stood still: what a run forgives is measured, not assumed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_BEAT = 0.05


class Lag:
    """`worst` is the longest time, in seconds, for which a task was not woken when due."""

    worst = 0.0

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_BEAT)
            self.worst = max(self.worst, time.monotonic() - began - _BEAT)


@asynccontextmanager
async def measured_lag() -> AsyncIterator[Lag]:
    """Yield what grows with every stall of the time in which the block runs."""
    lag = Lag()
    measuring = asyncio.create_task(lag.measure())
    try:
        yield lag
    finally:
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
