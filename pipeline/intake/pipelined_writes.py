"""Writes that are under way while the next one is made ready."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine

from pipeline.domain.tasks import stop

_STEPS_TO_THE_WIRE = 4  # of the event loop, until redis-py has written a command


class PipelinedWrites:
    """Writes that go on while their maker does, one at a time and in their order."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def begin(self, write: Callable[[], Coroutine[None, None, None]]) -> None:
        """Set *write* going once the one before has ended; return when it is on its way."""
        await self.ended()
        self._task = asyncio.create_task(write())
        for _ in range(_STEPS_TO_THE_WIRE):
            await asyncio.sleep(0)

    async def ended(self) -> None:
        """Wait for the write under way, if any, and raise what it raised."""
        if self._task is not None:
            # Not `await task`: our own cancellation would be passed on to it, and swallowed there.
            await asyncio.wait({self._task})
            task, self._task = self._task, None
            task.result()

    async def stop(self) -> None:
        """End the write under way, if any, without looking at what became of it."""
        if self._task is not None:
            await stop(self._task)


@contextlib.asynccontextmanager
async def one_under_way() -> AsyncIterator[PipelinedWrites]:
    """
    Give out writes whose last one has ended after the block, whatever became of that.

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
