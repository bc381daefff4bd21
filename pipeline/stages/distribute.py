"""Stage "distribute": one message to each recipient of a batch that is due."""

from collections.abc import Collection, Mapping

import structlog

from pipeline.callbacks.return_paths import ReturnPathFactory
from pipeline.domain.batch import Lane
from pipeline.domain.clock import uptime
from pipeline.domain.models import ChannelName
from pipeline.domain.vault import SealError
from pipeline.execution.leases import Lease
from pipeline.sending.dispatcher import Dispatcher, InFlightBatch
from pipeline.stages.batch_work import BatchContents, BatchJob
from pipeline.stages.campaign_cache import CampaignCache
from pipeline.stages.defer import defer
from pipeline.stages.due_deliveries import due_deliveries
from pipeline.stages.search import search
from pipeline.stages.start import Starter
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.rate_limiter import Limiter
from pipeline.store.suppressions import Suppressions

log = structlog.get_logger()

_WORK_SECONDS = (
    20.0  # then the batch goes back to the due index, so that other batches are worked on
)


class DistributeStage:
    """The stage: sends the due messages of a batch through the dispatchers of its channels."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        campaigns: CampaignStore,
        deliveries: DeliveryStore,
        limiter: Limiter,
        campaign_cache: CampaignCache,
        dispatchers: Mapping[ChannelName, Dispatcher],
        suppressions: Suppressions,
        returns: ReturnPathFactory,
    ) -> None:
        self._batches = batches
        self._campaigns = campaigns
        self._deliveries = deliveries
        self._campaign_cache = campaign_cache
        self._dispatchers = dispatchers
        self._returns = returns
        self._starter = Starter(deliveries, limiter, suppressions)

    async def run(self, lease: Lease) -> None:
        """
        Send what is due, wait until every result is recorded, and give the batch back.

        May be repeated: the ledger says what was sent.
        """
        claim = lease.claim
        if claim.cancelled:
            await self._batches.cancel(claim)
            return
        cached, contents = await self._campaign_cache.of(claim), await self._contents(claim)
        due, delay = due_deliveries(claim, cached.campaign), 0.0
        if not due.keys() <= self._dispatchers.keys():
            await self._block(claim, due.keys() - self._dispatchers.keys())
            return
        current, until = InFlightBatch(lease), uptime() + _WORK_SECONDS
        work = BatchJob(current, cached, contents, self._returns)
        for channel in due:
            cached.composer(
                self._dispatchers[channel].channel
            )  # what fails must fail before intents
        try:
            for channel, wanted in due.items():
                dispatcher = self._dispatchers[channel]
                left = await search(work, dispatcher, wanted)
                ready = await defer(work, self._deliveries, channel, left)
                delay = max(delay, await self._starter.start(work, dispatcher, ready, until))
        finally:
            await current.wait_until_done()
        state = await self._batches.distributed(claim, delay=delay)
        log.info(
            "batch.distributed",
            campaign=claim.campaign_id,
            batch=claim.unit.batch,
            state=state,
            **current.results,
        )

    async def _block(self, claim: Claim, missing: Collection[ChannelName]) -> None:
        """Block a campaign that uses a channel for which this worker has no settings."""
        log.warning(
            "campaign.blocked", campaign=claim.campaign_id, reason="channel_not_configured"
        )
        await self._campaigns.block(
            claim.unit.serial,
            Lane.SEND,
            "channel_not_configured",
            ", ".join(sorted(missing)),
            probe_after=0,
        )
        await self._batches.release(claim, delay=0)

    async def _contents(self, claim: Claim) -> BatchContents:
        unit = claim.unit
        # Read after the claim: the intent for a recipient who was resent since is refused.
        recipients = await self._campaigns.current_recipients(unit.serial, unit.batch)
        links = await self._batches.links(unit.serial, unit.batch)
        if not len(links) == len(recipients) == claim.batch.size:
            msg = "The batch does not hold one link per recipient: run `claimcast verify`."
            raise SealError(msg)  # treated like a blob that does not open
        return BatchContents(recipients, links)
