"""The rewards API's signal that an order is complete: it wakes the batch, and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens
from pipeline.store.batches import BatchStore
from pipeline.store.outages import STORE_ERRORS
from worker.web.metrics import WebhookCounter

log = structlog.get_logger()

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0  # seconds; the polls that webhooks replace are as slow
_AT_ONCE = 8
_DRAIN_SECONDS = 2.0


class BatchWaker:
    """
    Wakes batches, however often it is asked to, at once and then at growing intervals.

    Each wake of an unfinished order costs a read of it, so a flood may cause a few and no more;
    but every signal is followed by a wake, because what it says may be new.
    """

    def __init__(self, batches: BatchStore) -> None:
        self._batches = batches
        self._asked: set[tuple[str, int]] = set()
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._connections = asyncio.Semaphore(_AT_ONCE)
        self._stopping = asyncio.Event()

    def request(self, serial: str, batch: int) -> None:
        """Have a batch woken soon; returns at once and never fails."""
        key = (serial, batch)
        self._asked.add(key)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._wake_while_requested(key))

    async def drain(self) -> None:
        """Wake what still waits, within seconds; the polls come to what is left."""
        self._stopping.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await asyncio.gather(*self._tasks.values())

    async def _wake_while_requested(self, key: tuple[str, int]) -> None:
        pause = _FIRST_PAUSE
        while key in self._asked:
            await self._wake(key)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        del self._tasks[key]

    async def _wake(self, key: tuple[str, int]) -> None:
        async with self._connections:
            # What is asked from here on may come too late for this wake.
            self._asked.discard(key)
            try:
                await self._batches.wake(*key, complete=True)
            except STORE_ERRORS as error:
                self._asked.add(key)
                log.warning("batch.not_woken", batch=key[1], error=type(error).__name__)


@asynccontextmanager
async def open_waker(batches: BatchStore) -> AsyncIterator[BatchWaker]:
    """Yield what wakes batches; at the end nothing that was asked for is left."""
    waker = BatchWaker(batches)
    try:
        yield waker
    finally:
        await waker.drain()


class FulfilmentWebhook:
    def __init__(self, tokens: SignedTokens, waker: BatchWaker, webhooks: WebhookCounter) -> None:
        self._tokens = tokens
        self._waker = waker
        self._count = webhooks.count

    async def receive(self, request: Request) -> Response:
        """Answer at once; the body is neither read nor believed."""
        target = self._tokens.read(Purpose.FULFILMENT, request.path_params["token"])
        if target is None:
            self._count("fulfilment", "unknown_token")
            raise HTTPException(404)
        self._waker.request(target.serial, target.batch)
        self._count("fulfilment", "taken")
        return Response(status_code=204)
