"""Writes that run while the next one is prepared."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine

from pipeline.domain.tasks import stop

_STEPS_TO_THE_WIRE = 4  # rounds of the event loop, until redis-py has written a command


class PipelinedWrites:
    """Runs writes beside their caller, one at a time and in their order."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def begin(self, write: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start *write* once the one before has ended; return when its command was written."""
        await self.ended()
        self._task = asyncio.create_task(write())
        for _ in range(_STEPS_TO_THE_WIRE):
            await asyncio.sleep(0)

    async def ended(self) -> None:
        """Wait for the running write, if any, and raise what it raised."""
        if self._task is not None:
            # Not `await task`: our own cancellation would be passed on to it, and swallowed there.
            await asyncio.wait({self._task})
            task, self._task = self._task, None
            task.result()

    async def stop(self) -> None:
        """Cancel the running write, if any; raises nothing that it raised."""
        if self._task is not None:
            await stop(self._task)


@contextlib.asynccontextmanager
async def one_under_way() -> AsyncIterator[PipelinedWrites]:
    """
    Yield a PipelinedWrites; after the block its last write has ended, successfully or not.

    What the last write raised is raised, also if the block fails at the same time.
    """
    writes = PipelinedWrites()
    try:
        try:
            yield writes
        except Exception:
            await writes.ended()
            raise
        await writes.ended()
    finally:
        await writes.stop()
