"""Which deliveries of a batch may be started now; pure."""

from collections.abc import Iterator

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.domain.ports import SEARCHABLE
from pipeline.store.batches import Claim
from pipeline.store.formats.records import DeliveryRecord, initial_records

Due = list[tuple[int, DeliveryRecord]]
"""Pairs of a recipient's index and the delivery that is due."""


def due_deliveries(claim: Claim, campaign: Campaign) -> dict[ChannelName, Due]:
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
        found = claim.ledger.get(index) or initial_records(
            delivery.channels, delivery.mode, claim.batch.plan, index
        )
        for record in found:
            yield index, record


def _startable(record: DeliveryRecord, campaign: Campaign) -> bool:
    if record.status is DeliveryStatus.UNCERTAIN:
        goes_on = record.channel in SEARCHABLE or campaign.resends(record.channel)
        return goes_on and record.code != "unconfirmed"
    return record.status is DeliveryStatus.PENDING
