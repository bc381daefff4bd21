"""Writes the intents of one batch: one by one, or all at once where each waits for the disk."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

from pipeline.domain.tasks import stop

IntentWrite = Coroutine[None, None, None]


class IntentWrites:
    """
    Runs writes one after the other, or with *at_once* in parallel.

    The end of the block waits for all of them and raises the first failure. A failure in the block
    cancels the writes that still run.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, intent_write: IntentWrite) -> None:
        """Run *intent_write*, or start it; raises what it, or an earlier one, failed with."""
        if not self._at_once:
            await intent_write
            return
        self._tasks.append(asyncio.create_task(intent_write))
        for task in self._tasks:
            if task.done():
                task.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await asyncio.gather(*self._tasks)
        finally:
            await stop(*self._tasks)
