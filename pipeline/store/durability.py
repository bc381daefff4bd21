"""Writes to a server that syncs its append-only file once a second: waited for until on disk."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipeline.store.client import Client

Reply = TypeVar("Reply")

SYNC_SECONDS = 2.0
"""
Within this time the server begins a sync of what it acknowledged, unless one is still under way.

It begins one every second, and puts a write off for at most two seconds while one is under way
(flushAppendOnlyFile in aof.c of Redis 7 to 8 and Valkey 7.2 to 9).
"""

_TICK = 0.15  # the server checks ten times a second whether to begin one (`hz 10`)
_QUIET_CHECKS = 2


class EverySecond:
    """
    Makes a write under `appendfsync everysec` as durable as one under `always`, only slower.

    WAITAOF does not do it: under `everysec` Valkey 9.1 answers it before the sync is over.
    """

    def __init__(self, redis: Client, sync_seconds: float = SYNC_SECONDS) -> None:
        self._redis = redis
        self._sync_seconds = sync_seconds

    async def until_on_disk(self, write: Callable[[], Awaitable[Reply]]) -> Reply:
        """
        Call *write*, and return its reply once what it wrote is on disk.

        If the server was restarted meanwhile the write may be lost, so it is repeated: it must be
        safe to repeat. While the disk is stuck or full this waits.
        """
        while True:
            run = await self._run_id()
            reply = await write()
            await self._sync()
            if await self._run_id() == run:
                return reply

    async def _sync(self) -> None:
        """Wait for the end of a sync that began after this was called."""
        await asyncio.sleep(self._sync_seconds)
        # One quiet check may fall between the end of an earlier sync and the start of the next.
        quiet = 0
        while True:
            quiet = quiet + 1 if await self._is_quiet() else 0
            if quiet == _QUIET_CHECKS:
                return
            await asyncio.sleep(_TICK)

    async def _is_quiet(self) -> bool:
        found = await self._redis.info("persistence")
        return not found["aof_pending_bio_fsync"] and found["aof_last_write_status"] == "ok"

    async def _run_id(self) -> str:
        """Return what names this run of the server: another one may have lost something."""
        return str((await self._redis.info("server"))["run_id"])
