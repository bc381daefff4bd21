"""Stage "distribute": one message to each recipient of a batch whose turn it is."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from pipeline.callbacks.return_paths import Returns
from pipeline.callbacks.signed_tokens import Target
from pipeline.domain.batch import Lane
from pipeline.domain.campaign import Campaign
from pipeline.domain.clock import uptime
from pipeline.domain.models import ChannelName, DeliveryStatus, Recipient, delivery_key
from pipeline.domain.vault import SealError
from pipeline.execution.leases import Lease
from pipeline.sending.dispatcher import Outbox, Outgoing, Round, Search
from pipeline.sending.intent_writes import Launches
from pipeline.sending.quiet_hours import Hours, hours
from pipeline.stages.campaign_cache import Catalog, Known
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore, Wanted
from pipeline.store.rate_limiter import Limiter
from pipeline.store.records import DeliveryRecord, initial
from pipeline.store.suppressions import Suppressions

log = structlog.get_logger()

Due = list[tuple[int, DeliveryRecord]]

_WORK_SECONDS = 20.0  # then the batch goes back to the due index, so that others get their turn
_LONGEST_NAP = 0.5


@dataclass(frozen=True, slots=True)
class Packet:
    """What a batch holds besides its ledger: link k belongs to recipient k."""

    recipients: Sequence[Recipient]
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class Work:
    """One batch in hand."""

    current: Round
    known: Known
    packet: Packet


class DistributeStage:
    def __init__(
        self,
        *,
        batches: BatchStore,
        campaigns: CampaignStore,
        deliveries: DeliveryStore,
        limiter: Limiter,
        catalog: Catalog,
        outboxes: Mapping[ChannelName, Outbox],
        suppressions: Suppressions,
        returns: Returns,
    ) -> None:
        self._batches = batches
        self._campaigns = campaigns
        self._deliveries = deliveries
        self._limiter = limiter
        self._catalog = catalog
        self._outboxes = outboxes
        self._suppressions = suppressions
        self._returns = returns

    async def run(self, lease: Lease) -> None:
        """Send what is due, wait until every result is recorded, and settle the batch."""
        claim = lease.claim
        if claim.cancelled:
            await self._batches.cancel(claim)
            return
        known, packet = await self._catalog.of(claim), await self._packet(claim)
        due, delay = _due(claim, known.campaign), 0.0
        if not due.keys() <= self._outboxes.keys():
            await self._block(claim, due.keys() - self._outboxes.keys())
            return
        current, until = Round(lease), uptime() + _WORK_SECONDS
        batch = Work(current, known, packet)
        for channel in due:
            known.composer(self._outboxes[channel].channel)  # what fails must fail before intents
        try:
            for channel, wanted in due.items():
                await self._search(batch, channel, wanted)
                ready = await self._in_hours(batch, channel, wanted)
                delay = max(delay, await self._start(batch, channel, ready, until))
        finally:
            await current.done()
        state = await self._batches.distributed(claim, delay=delay)
        log.info(
            "batch.distributed",
            campaign=claim.campaign_id,
            batch=claim.unit.batch,
            state=state,
            **current.results,
        )

    async def _search(self, work: Work, channel: ChannelName, wanted: Due) -> None:
        """Look for uncertain messages at a provider that can be asked."""
        outbox, claim = self._outboxes[channel], work.current.lease.claim
        if not outbox.searches:
            return
        for index, record in wanted:
            if record.status is not DeliveryStatus.UNCERTAIN:
                continue
            search = Search(
                code=record.code,
                not_before=(claim.epoch_ms + record.started_ms) / 1000,
                resends=work.known.campaign.resends(channel),
            )
            outgoing = self._outgoing(work, channel, index, record, record.attempt, search=search)
            await outbox.reserve(1, resends=True)
            work.current.started(1)
            outbox.put(outgoing)

    async def _in_hours(self, work: Work, channel: ChannelName, wanted: Due) -> Hours:
        """Put off those whose window is closed; it is kept in the ledger, never slept."""
        searched = self._outboxes[channel].searches
        sendable = [
            (index, record)
            for index, record in wanted
            if not (searched and record.status is DeliveryStatus.UNCERTAIN)
        ]
        window = work.known.campaign.delivery.window
        found = hours(window, channel, sendable, work.packet.recipients, time.time())
        if found.waits:
            unit = work.current.unit
            await self._deliveries.record({(unit.serial, unit.batch): found.waits})
        return found

    async def _block(self, claim: Claim, missing: Collection[ChannelName]) -> None:
        """Stop a campaign whose channel this worker was not given the settings of."""
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
        await self._batches.wait(claim, delay=0)

    async def _packet(self, claim: Claim) -> Packet:
        unit = claim.unit
        # Read after the claim: of whom was resent since, the intent is refused.
        recipients = await self._campaigns.readdressed(unit.serial, unit.batch)
        links = await self._batches.links(unit.serial, unit.batch)
        if not len(links) == len(recipients) == claim.batch.size:
            msg = "The batch does not hold one link per recipient: run `claimcast verify`."
            raise SealError(msg)  # as damaged as what does not open
        return Packet(recipients, links)

    async def _start(self, work: Work, channel: ChannelName, ready: Hours, until: float) -> float:
        """Start deliveries as permits allow; return how long the rest has to wait, in seconds."""
        outbox, campaign = self._outboxes[channel], work.known.campaign
        own = {f"{work.current.unit.serial}:{channel}": campaign.limit(channel)}
        # Who waits for a limit of his own gives way to others, who may have permits to use.
        wanted, limited = ready.now, campaign.limit(channel) is not None
        async with Launches(at_once=self._deliveries.waits_for_disk) as launches:
            while wanted and uptime() < until:
                room = await outbox.reserve(len(wanted), resends=campaign.resends(channel))
                try:
                    permits = await self._limiter.take(channel, room, **own)
                except BaseException:
                    outbox.give_back(room)
                    raise
                outbox.give_back(room - permits.granted)
                if permits.granted:
                    now, wanted = wanted[: permits.granted], wanted[permits.granted :]
                    await launches.add(self._launch(work, channel, now, ready.closes))
                elif limited or permits.wait > _LONGEST_NAP:
                    return permits.wait
                else:
                    await asyncio.sleep(permits.wait)
        return 0.0

    async def _launch(
        self, work: Work, channel: ChannelName, now: Due, closes: Mapping[int, float]
    ) -> None:
        """Write the intents and hand what was granted to the senders."""
        outbox, current = self._outboxes[channel], work.current
        wanted = [
            Wanted(
                index,
                channel,
                record.attempt,
                self._suppression(work, channel, index),
                record.generation,
            )
            for index, record in now
        ]
        try:
            attempts = await self._deliveries.intend(current.lease.claim, wanted)
        except BaseException:
            outbox.give_back(len(now))
            raise
        granted = sum(1 for attempt in attempts if attempt)
        outbox.give_back(len(now) - granted)
        current.started(granted)
        for (index, record), attempt in zip(now, attempts, strict=True):
            if attempt:
                closes_at = closes.get(index)
                outbox.put(
                    self._outgoing(work, channel, index, record, attempt, closes_at=closes_at)
                )

    def _suppression(self, work: Work, channel: ChannelName, index: int) -> tuple[str, bytes]:
        address = work.packet.recipients[index].address(channel)
        return self._suppressions.key_of(channel, address)

    def _outgoing(
        self,
        work: Work,
        channel: ChannelName,
        index: int,
        record: DeliveryRecord,
        attempt: int,
        *,
        closes_at: float | None = None,
        search: Search | None = None,
    ) -> Outgoing:
        unit, recipient = work.current.unit, work.packet.recipients[index]
        target = Target(
            serial=unit.serial,
            batch=unit.batch,
            index=index,
            channel=channel,
            generation=record.generation,
            attempt=attempt,
        )
        key = delivery_key(work.known.campaign.id, recipient.id, channel, record.generation)
        return Outgoing(
            round=work.current,
            composer=work.known.composer(self._outboxes[channel].channel),
            recipient=recipient,
            link=work.packet.links[index],
            key=key,
            index=index,
            attempt=attempt,
            tries=record.tries,
            generation=record.generation,
            returns=self._returns.of_message(target),
            closes_at=closes_at,
            search=search,
        )


def _due(claim: Claim, campaign: Campaign) -> dict[ChannelName, list[tuple[int, DeliveryRecord]]]:
    """Return the deliveries of a batch that may be started now, by channel."""
    due: dict[ChannelName, Due] = {}
    for index, record in _records(claim, campaign):
        waits_until = claim.epoch_ms + record.started_ms + record.after_ms
        if _startable(record, campaign) and waits_until <= claim.now_ms:
            due.setdefault(record.channel, []).append((index, record))
    return due


def _records(claim: Claim, campaign: Campaign) -> Iterator[tuple[int, DeliveryRecord]]:
    delivery = campaign.delivery
    for index in range(claim.batch.size):
        found = claim.ledger.get(index) or initial(
            delivery.channels, delivery.mode, claim.batch.plan, index
        )
        for record in found:
            yield index, record


def _startable(record: DeliveryRecord, campaign: Campaign) -> bool:
    if record.status is DeliveryStatus.UNCERTAIN:
        searchable = record.channel is ChannelName.SMS  # as LOOKS_UP in store/lua/common.lua
        goes_on = searchable or campaign.resends(record.channel)
        return goes_on and record.code != "unconfirmed"
    return record.status is DeliveryStatus.PENDING
