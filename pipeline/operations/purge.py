"""Removing people and links of campaigns that have ended, by hand or when their time is over."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.store.audit_trail import AuditAction, AuditTrail
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.maintenance.purges import PurgeStore
from pipeline.views.campaign_status import ended

log = structlog.get_logger()

_BATCHES = 20  # at once, with up to four keys each: well below a millisecond of everybody's time
_PAUSE = 0.01

PurgeProgress = Callable[[int], None]
"""Is told how many batches are done."""


class CampaignPurger:
    """Purges one campaign at a time; what was interrupted goes on when it is called again."""

    def __init__(self, campaigns: CampaignStore, audit: AuditTrail, store: PurgeStore) -> None:
        self._campaigns = campaigns
        self._audit = audit
        self._store = store

    async def purge(
        self,
        serial: str,
        *,
        actor: str,
        ended_for: timedelta = timedelta(0),
        progress: PurgeProgress = lambda _: None,
    ) -> int:
        """
        Remove recipients, links, evidence and corrections; return when that was done (ms).

        The definition, the ledger, counters, order ids and digests stay. Raises InputError if the
        campaign has not ended, or not for that long. From the first step on nothing of it can be
        sent again. Many short steps: others are served in between.
        """
        snapshot = await self._campaigns.snapshot(serial)
        if not snapshot.purging:
            _refuse_unended(snapshot)
            await self._audit.add(AuditAction.PURGE, actor=actor, campaign=snapshot.campaign_id)
        state = await self._store.begin(serial, ended_for)
        if state == "unended":
            raise InputError(_unended(snapshot))
        if state == "purging":
            await self._remove(serial, progress)
        return await self._store.end(serial)

    async def _remove(self, serial: str, progress: PurgeProgress) -> None:
        snapshot = await self._campaigns.snapshot(serial)
        count = snapshot.batch_count
        for first in range(snapshot.purged_batches + 1, count + 1, _BATCHES):
            last = min(first + _BATCHES - 1, count)
            await self._store.remove(serial, first, last)
            progress(last)
            await asyncio.sleep(_PAUSE)


class Retention:
    """Purges what ended long enough ago, and what a killed command left half done."""

    def __init__(
        self, store: PurgeStore, campaigns: CampaignStore, purging: CampaignPurger
    ) -> None:
        self._store = store
        self._campaigns = campaigns
        self._purging = purging

    async def run(self, worker: str, length: timedelta) -> None:
        """
        Purge what ended *length* ago (0: never), if it is the turn of this worker.

        One worker of the fleet has it, for a minute at least; should it take longer and another
        one join in, each step may be repeated.
        """
        if not await self._store.acquire_turn(worker):
            return
        done = 0
        serials = await self._campaigns.ids()
        expired = await self._store.expired(list(serials.values()), length)
        for campaign_id, serial in serials.items():
            if serial not in expired:
                continue
            try:
                await self._purging.purge(serial, actor="retention", ended_for=length)
            except (ClaimcastError, ValueError, LookupError, TypeError) as error:
                # One that cannot be purged (a damaged audit trail) must not stop the worker.
                log.warning("campaign.not_purged", campaign=campaign_id, why=type(error).__name__)
            else:
                log.info("campaign.purged", campaign=campaign_id)
                done += 1
            await self._store.renew_turn()
        if done:
            await self._store.rewrite_log()


def _refuse_unended(snapshot: CampaignSnapshot) -> None:
    if not ended(snapshot):
        raise InputError(_unended(snapshot))


def _unended(snapshot: CampaignSnapshot) -> str:
    return (
        f'Campaign "{snapshot.campaign_id}" has not ended, so nothing was removed: only what has'
        f" finished can be purged, or after `claimcast cancel {snapshot.campaign_id}`."
    )
