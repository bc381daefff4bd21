"""Writes the results of attempts, all that gathered meanwhile in one call."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

import structlog

from pipeline.store.deliveries import BatchKey, DeliveryStore, Fact
from pipeline.store.outages import STORE_ERRORS

log = structlog.get_logger()

_LINGER = 0.001  # lets results gather; a result must be recorded within tens of milliseconds
_RETRY = 0.2


class ResultWriter:
    """
    Group commit of facts.

    A fact is never dropped: while Redis is away it is kept and written later. The senders wait for
    it, because nobody may run ahead of what is recorded.
    """

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries
        self._facts: list[tuple[BatchKey, Fact, Callable[[], None]]] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, batch: BatchKey, fact: Fact, recorded: Callable[[], None]) -> None:
        """Queue a fact; *recorded* is called once the fact is durable."""
        self._facts.append((batch, fact, recorded))
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Write facts until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_LINGER)
            self._wake.clear()
            taken, self._facts = self._facts, []
            groups: defaultdict[BatchKey, list[Fact]] = defaultdict(list)
            for batch, fact, _ in taken:
                groups[batch].append(fact)
            await self._write(groups)
            for _, _, recorded in taken:
                recorded()
            if not self._facts:
                self._idle.set()

    async def drained(self) -> None:
        """Wait until everything that was added is written."""
        await self._idle.wait()

    async def _write(self, groups: dict[BatchKey, list[Fact]]) -> None:
        reported = ""
        while True:
            try:
                await self._deliveries.record(groups)
            except STORE_ERRORS as error:
                # The facts exist nowhere else, so the writer waits and repeats.
                name = type(error).__name__
                if name != reported:
                    log.warning("facts.not_recorded", error=name, batches=len(groups))
                reported = name
                await asyncio.sleep(_RETRY)
            else:
                return
