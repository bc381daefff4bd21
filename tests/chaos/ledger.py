"""
A look into the ledger, to aim at work in flight and to time who goes on with it.

Only the monkey looks here; the judge does not.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import cast

from arq.connections import ArqRedis
from redis import RedisError
from redis.asyncio import ConnectionPool

_PATIENCE = 1.0
_POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A batch that a worker had claimed, under the lease that was counted as `fence`."""

    serial: str
    batch: int
    lane: str
    fence: int

    @property
    def key(self) -> str:
        return f"cc:{self.serial}:b:{self.batch}"


class Ledger:
    def __init__(self, port: int) -> None:
        self._redis = ArqRedis(
            connection_pool=ConnectionPool.from_url(
                f"redis://127.0.0.1:{port}/0", socket_timeout=_PATIENCE, socket_connect_timeout=1
            ),
            job_serializer=lambda job: json.dumps(job).encode(),
            job_deserializer=json.loads,
        )

    async def aclose(self) -> None:
        await self._redis.aclose(close_connection_pool=True)

    async def answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError):
            return bool(await self._redis.ping())
        return False

    async def queue_of(self, pid: int) -> str | None:
        """Return the queue of the worker with this process id; None if it has none (yet)."""
        with contextlib.suppress(RedisError, OSError):
            for name in await self._redis.zrange("cc:workers", 0, -1):
                if f"-{pid}-".encode() in name:
                    return f"claimcast:worker:{name.decode()}"
        return None

    async def in_hand(self, pid: int) -> Sequence[Job]:
        """Return what this worker has claimed; nothing while the ledger is away."""
        queue = await self.queue_of(pid)
        if queue is None:
            return ()
        with contextlib.suppress(RedisError, OSError):
            found = [await self._claimed(each) for each in await self._redis.zrange(queue, 0, -1)]
            return [job for job in found if job is not None]
        return ()

    async def _claimed(self, job_id: bytes) -> Job | None:
        parts = job_id.decode().split(":")
        if len(parts) != 4 or not await self._redis.exists(f"arq:in-progress:{job_id.decode()}"):
            return None
        serial, batch, lane, turn = parts
        token, fence, now_at = await self._fields(f"cc:{serial}:b:{batch}", "tok", "fence", "turn")
        # A claim uses its turn up; a later one would be somebody else's.
        if token is None or int(now_at or 0) != int(turn) + 1:
            return None
        return Job(serial=serial, batch=int(batch), lane=lane, fence=int(fence or 0))

    async def _fields(self, key: str, *names: str) -> list[bytes | None]:
        # redis-py types its replies as awaitable or not.
        return await cast("Awaitable[list[bytes | None]]", self._redis.hmget(key, list(names)))

    async def taken_over(self, job: Job, since: float) -> float:
        """Wait, for ever if need be, until somebody else has claimed *job*; return how long."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                [fence] = await self._fields(job.key, "fence")
                if int(fence or 0) > job.fence:
                    return time.time() - since
            await asyncio.sleep(_POLL)

    async def progressed(self, jobs: Sequence[Job]) -> bool:
        """Return whether all of *jobs* were moved on since the last death of a worker."""
        found = [await self._fields(job.key, "deaths") for job in jobs]
        return all(deaths is None for [deaths] in found)

    async def poison(self, queue: str, function: str, argument: object) -> None:
        """Put a job that nobody can make sense of into *queue*."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.enqueue_job(
                function, argument, schema=99, _queue_name=queue, _expires=600
            )
