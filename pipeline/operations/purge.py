"""Removing people and links of campaigns that have ended, by hand or when their time is over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.store.audit_trail import Action, AuditTrail
from pipeline.store.campaigns import CampaignStore, Snapshot
from pipeline.store.scripts import Scripts
from pipeline.views.campaign_status import ended

log = structlog.get_logger()

_BATCHES = 20  # at once, with up to four keys each: well below a millisecond of everybody's time
_PAUSE = 0.01
_TURN = timedelta(seconds=60)
_AT_ONCE = 500

Progress = Callable[[int], None]
"""Is told how many batches are done."""


class Purging:
    """Purges one campaign at a time; what was interrupted goes on when it is called again."""

    def __init__(self, campaigns: CampaignStore, audit: AuditTrail, scripts: Scripts) -> None:
        self._campaigns = campaigns
        self._audit = audit
        self._run = scripts.run

    async def purge(
        self,
        serial: str,
        *,
        actor: str,
        ended_for: timedelta = timedelta(0),
        progress: Progress = lambda _: None,
    ) -> int:
        """
        Remove recipients, links, evidence and corrections; return when that was done (ms).

        The definition, the ledger, counters, order ids and digests stay. Raises InputError if the
        campaign has not ended, or not for that long. From the first step on nothing of it can be
        sent again. Many short steps: others are served in between.
        """
        snapshot = await self._campaigns.snapshot(serial)
        if not snapshot.text("purging"):
            _refuse_unended(snapshot)
            await self._audit.add(Action.PURGE, actor=actor, campaign=snapshot.campaign_id)
        state = await self._run("purge_begin", serial, round(ended_for.total_seconds() * 1000))
        if state == b"unended":
            raise InputError(_unended(snapshot))
        if state == b"purging":
            await self._remove(serial, progress)
        return int(await self._run("purge_end", serial))

    async def _remove(self, serial: str, progress: Progress) -> None:
        snapshot = await self._campaigns.snapshot(serial)
        count = snapshot.batch_count
        for first in range(snapshot.number("purging:to") + 1, count + 1, _BATCHES):
            last = min(first + _BATCHES - 1, count)
            await self._run("purge_batches", serial, first, last)
            progress(last)
            await asyncio.sleep(_PAUSE)


class Retention:
    """Purges what ended long enough ago, and what a killed command left half done."""

    def __init__(self, redis: "Redis", campaigns: CampaignStore, purging: Purging) -> None:
        self._redis = redis
        self._campaigns = campaigns
        self._purging = purging

    async def run(self, worker: str, length: timedelta) -> None:
        """
        Purge what ended *length* ago (0: never), if it is the turn of this worker.

        One worker of the fleet has it, for a minute at least; should it take longer and another
        one join in, each step may be repeated.
        """
        if not await self._redis.set("cc:purger", worker, nx=True, px=_TURN):
            return
        done = 0
        async for campaign_id, serial in self._expired(length):
            try:
                await self._purging.purge(serial, actor="retention", ended_for=length)
            except (ClaimcastError, ValueError, LookupError, TypeError) as error:
                # One that cannot be purged (a damaged audit trail) must not stop the worker.
                log.warning("campaign.not_purged", campaign=campaign_id, why=type(error).__name__)
            else:
                log.info("campaign.purged", campaign=campaign_id)
                done += 1
            await self._redis.pexpire("cc:purger", _TURN)
        if done:
            await rewrite_log(self._redis)

    async def _expired(self, length: timedelta) -> AsyncIterator[tuple[str, str]]:
        ids = list((await self._campaigns.ids()).items())
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            async with self._redis.pipeline(transaction=False) as pipe:
                for _, serial in some:
                    pipe.hmget(f"cc:{serial}", ["fin", "purging", "purged"])
                pipe.time()
                *found, (seconds, _) = await pipe.execute()
            before = (seconds - length.total_seconds()) * 1000 if length else 0
            for each, (end, purging, purged) in zip(some, found, strict=True):
                if end and not purged and (purging or int(end) <= before):
                    yield each


async def rewrite_log(redis: "Redis") -> None:
    """Have the server write its append-only file anew, without what was removed, if it may."""
    with contextlib.suppress(ResponseError):  # not allowed here, or under way already
        if (await redis.info("persistence")).get("aof_enabled"):
            await redis.bgrewriteaof()  # type: ignore[no-untyped-call]


def _refuse_unended(snapshot: Snapshot) -> None:
    if not ended(snapshot):
        raise InputError(_unended(snapshot))


def _unended(snapshot: Snapshot) -> str:
    return (
        f'Campaign "{snapshot.campaign_id}" has not ended, so nothing was removed: only what has'
        f" finished can be purged, or after `claimcast cancel {snapshot.campaign_id}`."
    )
