"""Stage "distribute": one message to each recipient of a batch whose turn it is."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from pipeline.campaign import Campaign
from pipeline.clock import uptime
from pipeline.errors import ClaimcastError
from pipeline.leases import Lease
from pipeline.limits import Limiter
from pipeline.models import ChannelName, DeliveryStatus, Recipient, delivery_key
from pipeline.outbox import Outbox, Outgoing, Round
from pipeline.stages.catalog import Catalog, Known
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore, Wanted
from pipeline.store.records import DeliveryRecord, initial

log = structlog.get_logger()

_WORK_SECONDS = 20.0  # then the batch goes back to the due index, so that others get their turn
_LONGEST_NAP = 0.5


@dataclass(frozen=True, slots=True)
class Packet:
    """What a batch holds besides its ledger: link k belongs to recipient k."""

    recipients: Sequence[Recipient]
    links: Sequence[str]


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
    ) -> None:
        self._batches = batches
        self._campaigns = campaigns
        self._deliveries = deliveries
        self._limiter = limiter
        self._catalog = catalog
        self._outboxes = outboxes

    async def run(self, lease: Lease) -> None:
        """Send what is due, wait until every result is recorded, and settle the batch."""
        claim = lease.claim
        if claim.cancelled:
            await self._batches.cancel(claim)
            return
        known, packet = await self._catalog.of(claim), await self._packet(claim)
        current, delay = Round(lease), 0.0
        until = uptime() + _WORK_SECONDS
        due = _due(claim, known.campaign)
        if not due.keys() <= self._outboxes.keys():
            await self._block(claim, due.keys() - self._outboxes.keys())
            return
        try:
            for channel, wanted in due.items():
                delay = max(
                    delay, await self._start(current, known, packet, channel, wanted, until)
                )
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

    async def _block(self, claim: Claim, missing: Collection[ChannelName]) -> None:
        """Stop a campaign whose channel this worker was not given the settings of."""
        log.warning(
            "campaign.blocked", campaign=claim.campaign_id, reason="channel_not_configured"
        )
        await self._campaigns.block(
            claim.unit.serial,
            "s",
            "channel_not_configured",
            ", ".join(sorted(missing)),
            probe_after=0,
        )
        await self._batches.wait(claim, delay=0)

    async def _packet(self, claim: Claim) -> Packet:
        unit = claim.unit
        recipients = await self._campaigns.recipients(unit.serial, unit.batch)
        links = await self._batches.links(unit.serial, unit.batch)
        if not len(links) == len(recipients) == claim.batch.size:
            msg = "The batch does not hold one link per recipient: run `claimcast verify`."
            raise ClaimcastError(msg)
        return Packet(recipients, links)

    async def _start(
        self,
        current: Round,
        known: Known,
        packet: Packet,
        channel: ChannelName,
        wanted: list[tuple[int, DeliveryRecord]],
        until: float,
    ) -> float:
        """Start deliveries as permits allow; return how long the rest has to wait, in seconds."""
        outbox = self._outboxes[channel]
        own = {f"{current.unit.serial}:{channel}": known.campaign.limit(channel)}
        while wanted and uptime() < until:
            room = await outbox.reserve(len(wanted), resends=known.campaign.resends(channel))
            try:
                permits = await self._limiter.take(channel, room, **own)
            except BaseException:
                outbox.give_back(room)
                raise
            outbox.give_back(room - permits.granted)
            if permits.granted:
                now, wanted = wanted[: permits.granted], wanted[permits.granted :]
                await self._launch(current, known, packet, channel, now)
            elif permits.wait > _LONGEST_NAP:
                return permits.wait
            else:
                await asyncio.sleep(permits.wait)
        return 0.0

    async def _launch(
        self,
        current: Round,
        known: Known,
        packet: Packet,
        channel: ChannelName,
        now: list[tuple[int, DeliveryRecord]],
    ) -> None:
        """Write the intents and hand what was granted to the senders."""
        outbox = self._outboxes[channel]
        claim, campaign = current.lease.claim, known.campaign
        composer = known.composer(outbox.channel)
        try:
            attempts = await self._deliveries.intend(
                claim, [Wanted(index, channel, record.attempt) for index, record in now]
            )
        except BaseException:
            outbox.give_back(len(now))
            raise
        granted = sum(1 for attempt in attempts if attempt)
        outbox.give_back(len(now) - granted)
        current.started(granted)
        for (index, record), attempt in zip(now, attempts, strict=True):
            if not attempt:
                continue
            recipient = packet.recipients[index]
            outbox.put(
                Outgoing(
                    round=current,
                    composer=composer,
                    recipient=recipient,
                    link=packet.links[index],
                    key=delivery_key(campaign.id, recipient.id, channel, record.generation),
                    index=index,
                    attempt=attempt,
                    tries=record.tries,
                )
            )


def _due(claim: Claim, campaign: Campaign) -> dict[ChannelName, list[tuple[int, DeliveryRecord]]]:
    """Return the deliveries of a batch that may be started now, by channel."""
    due: dict[ChannelName, list[tuple[int, DeliveryRecord]]] = {}
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
        return campaign.resends(record.channel) and record.code != "unconfirmed"
    return record.status is DeliveryStatus.PENDING
