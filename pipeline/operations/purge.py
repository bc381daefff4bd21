"""Removes people and links of campaigns that have ended, by hand or after the retention time."""

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

_BATCHES = (
    20  # per step, with up to four keys each: the server is busy for less than a millisecond
)
_PAUSE = 0.01

PurgeProgress = Callable[[int], None]
"""Called with the number of batches that are done."""


class CampaignPurger:
    """Purges one campaign at a time; a call after an interruption goes on where it stopped."""

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
        campaign has not ended, or not for long enough. From the first step on nothing of it can be
        sent. The work is done in many short steps, so that the server can serve others in between.
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
    """Purges campaigns that ended long enough ago, and completes interrupted purges."""

    def __init__(
        self, store: PurgeStore, campaigns: CampaignStore, purging: CampaignPurger
    ) -> None:
        self._store = store
        self._campaigns = campaigns
        self._purging = purging

    async def run(self, worker: str, length: timedelta) -> None:
        """
        Purge what ended *length* ago (0: only what was begun), if it is this worker's turn.

        One worker of the fleet has the turn, for a minute at least. Should it take longer and
        another worker start too, each step may be repeated.
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
                # A campaign that cannot be purged (damaged audit trail) must not stop the worker.
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
