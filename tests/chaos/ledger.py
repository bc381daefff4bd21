"""
A look into the ledger, to aim at work in flight and to time who goes on with it.

Only the monkey looks here; the judge does not.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from arq.connections import ArqRedis
from redis import RedisError
from redis.asyncio import ConnectionPool

_PATIENCE = 1.0
_POLL = 0.02
_LANE_OF = {"planned": "o", "ordered": "r", "fulfilled": "s", "held": "r"}
"""What a worker does with a batch in this state."""


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
        jobs: list[Job] = []
        with contextlib.suppress(RedisError, OSError):
            for serial in await self._of_set(self._redis.hvals("cc:ids")):
                # Whatever is leased stands here.
                for batch in await self._of_set(self._redis.smembers(f"cc:{serial}:begun")):
                    jobs += await self._claimed(pid, serial, int(batch))
            return jobs
        return ()

    async def _claimed(self, pid: int, serial: str, batch: int) -> list[Job]:
        key = f"cc:{serial}:b:{batch}"
        token, fence, state = await self._fields(key, "tok", "fence", "st")
        # The token holds the name of its worker, and that the id of its process.
        lane = _LANE_OF.get((state or b"").decode())
        if token is None or lane is None or f"-{pid}-".encode() not in token:
            return []
        return [Job(serial=serial, batch=batch, lane=lane, fence=int(fence or 0))]

    async def _of_set(self, reply: object) -> list[str]:
        # redis-py types its replies as awaitable or not.
        return [each.decode() for each in await cast("Awaitable[Iterable[bytes]]", reply)]

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
        """Return whether all of *jobs* were moved on since the last death, as far as is known."""
        with contextlib.suppress(RedisError, OSError):
            found = [await self._fields(job.key, "deaths") for job in jobs]
            return all(deaths is None for [deaths] in found)
        return False

    async def done(self, job: Job) -> bool:
        """Return whether nothing is left to do for *job*; False while the ledger is away."""
        with contextlib.suppress(RedisError, OSError):
            return await self._fields(job.key, "st") == [b"done"]
        return False

    async def poison(self, queue: str, function: str, argument: object) -> None:
        """Put a job that nobody can make sense of into *queue*."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.enqueue_job(
                function, argument, schema=99, _queue_name=queue, _expires=600
            )
