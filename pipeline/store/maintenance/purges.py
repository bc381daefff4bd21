"""Removing what is personal of campaigns that have ended: a few batches in one step."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, cast

from redis.exceptions import ResponseError

from pipeline.store.client import Client
from pipeline.store.formats.snapshot import CampaignSnapshot, purge_fields
from pipeline.store.keys import PURGER, campaign_key
from pipeline.store.scripts import Scripts, server_ms

PurgeState = Literal["purging", "purged", "unended"]

_TURN = timedelta(seconds=60)
_AT_ONCE = 500
_FIELDS = purge_fields()


class PurgeStore:
    """Purges ended campaigns; every step may be repeated."""

    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._call = scripts.call

    async def begin(self, serial: str, ended_for: timedelta) -> PurgeState:
        """Begin a purge: from here on nothing can be sent. `unended` if it is too early."""
        state = await self._call("purge_begin", serial, round(ended_for.total_seconds() * 1000))
        return cast("PurgeState", state.decode())

    async def remove(self, serial: str, first: int, last: int) -> None:
        """Remove people, links, evidence and resends of batches *first* to *last*."""
        await self._call("purge_batches", serial, first, last)

    async def end(self, serial: str) -> int:
        """Return when the purge was over, in ms since the epoch: the same every time."""
        return int(await self._call("purge_end", serial))

    async def acquire_turn(self, worker: str) -> bool:
        """Return whether *worker* is the one of the fleet to purge, for a minute."""
        return bool(await self._redis.set(PURGER, worker, nx=True, px=_TURN))

    async def renew_turn(self) -> None:
        """Stay the one to purge for another minute."""
        await self._redis.pexpire(PURGER, _TURN)

    async def expired(self, serials: Sequence[str], length: timedelta) -> set[str]:
        """Return those that ended *length* ago (0: none), or whose purge was interrupted."""
        found: set[str] = set()
        for first in range(0, len(serials), _AT_ONCE):
            found |= await self._expired(serials[first : first + _AT_ONCE], length)
        return found

    async def _expired(self, serials: Sequence[str], length: timedelta) -> set[str]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for serial in serials:
                pipe.hmget(campaign_key(serial), _FIELDS)
            pipe.time()
            *found, time = await pipe.execute()
        campaigns = (
            CampaignSnapshot.of_some(serial, _FIELDS, reply, server_ms(time))
            for serial, reply in zip(serials, found, strict=True)
        )
        return {campaign.serial for campaign in campaigns if _is_expired(campaign, length)}

    async def rewrite_log(self) -> None:
        """Have the server write its append-only file anew, without what was removed, if it may."""
        with contextlib.suppress(ResponseError):  # not allowed here, or under way already
            if (await self._redis.info("persistence")).get("aof_enabled"):
                await self._redis.bgrewriteaof()


def _is_expired(campaign: CampaignSnapshot, length: timedelta) -> bool:
    if not campaign.ended or campaign.purged_ms:
        return False
    before = campaign.now_ms - length.total_seconds() * 1000 if length else 0
    return campaign.purging or campaign.finished_ms <= before
