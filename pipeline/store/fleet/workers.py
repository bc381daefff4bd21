"""The workers in Redis: which are alive, what waits in their queues, and what they counted."""

from typing import Final

from pipeline.domain.metrics import Measurements
from pipeline.store import keys
from pipeline.store.client import Client
from pipeline.store.outages import STORE_ERRORS
from pipeline.store.scripts import server_seconds

ALIVE_SECONDS: Final = 15.0
"""Three heartbeats: a worker that was silent for longer is not counted any more."""


class Workers:
    """The fleet: a worker is known by its name, and every time is the server's."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def beat(self, worker: str) -> None:
        """Note that *worker* is alive."""
        await self._redis.zadd(keys.WORKERS, {worker: await self._now()})

    async def alive(self, now_ms: int) -> int:
        """Return how many workers gave a sign of life in the 15 s before *now_ms*."""
        since = now_ms / 1000 - ALIVE_SECONDS
        return await self._redis.zcount(keys.WORKERS, since, "+inf")

    async def report(self, worker: str, measurements: Measurements, *, leases: int) -> None:
        """
        Add what *worker* counted since the last call, and say how many leases it has.

        Raises one of STORE_ERRORS; then the numbers come with the next call. If only the answer
        was lost they count twice, so the totals are for watching, not for accounting: that is the
        ledger.
        """
        drained = measurements.drain()
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(keys.LEASES, worker, str(leases))
                for name, amount in drained.items():
                    if isinstance(amount, int):
                        pipe.hincrby(keys.STATS, name, amount)
                    else:
                        pipe.hincrbyfloat(keys.STATS, name, amount)
                await pipe.execute()
        except STORE_ERRORS:
            measurements.put_back(drained)
            raise

    async def leave(self, worker: str) -> None:
        """Remove a worker and its queue; what it counted stays. May be called twice."""
        await self._redis.delete(keys.worker_queue_key(worker))
        await self._redis.hdel(keys.LEASES, worker)
        await self._redis.zrem(keys.WORKERS, worker)

    async def sweep(self, silent_seconds: float) -> None:
        """Remove every worker that has been silent for so long, as `leave` does."""
        long_ago = await self._now() - silent_seconds
        for name in await self._redis.zrangebyscore(keys.WORKERS, "-inf", long_ago):
            await self.leave(name.decode())

    async def queued_submits(self) -> int:
        """Return how many campaigns of other systems wait to be submitted, or are being so."""
        return await self._redis.zcard(keys.SUBMIT_QUEUE)

    async def _now(self) -> float:
        return server_seconds(await self._redis.time())
