"""Ending background tasks for certain."""

import asyncio
from collections.abc import Coroutine

_AGAIN_SECONDS = 1.0


async def stop(*tasks: "asyncio.Task[None]") -> None:
    """
    Cancel *tasks* and wait until they have ended; their results are dropped.

    Before Python 3.12, `asyncio.wait_for` swallows a cancellation that meets the end of what it
    waits for (redis-py writes every command inside one), so a single `cancel` may be lost.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        done, waiting = await asyncio.wait(waiting, timeout=_AGAIN_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()  # seen, so that asyncio does not complain of it


async def finish(work: Coroutine[None, None, None]) -> None:
    """Run *work* to its end although the caller is cancelled; a second cancellation stops it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
