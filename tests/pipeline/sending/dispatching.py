"""Campaigns that only have to be sent, and readers of their ledger."""

from typing import Any

from pipeline.domain.models import BatchState
from pipeline.store.formats.records import DeliveryRecord
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    fulfilled,
    people,
    submit,
)


async def ready(ledger: Ledger, number: int, name: str = "c", **campaign: Any) -> str:  # noqa: ANN401 - see a_campaign
    """Return the serial of a campaign with one batch that only has to be sent."""
    serial = await submit(ledger, a_campaign(name, **campaign), [people(number)])
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    return serial


async def records(ledger: Ledger, serial: str) -> list[DeliveryRecord]:
    found = await ledger.deliveries.read(serial, 1)
    return [found[index][0] for index in sorted(found)]


async def state(ledger: Ledger, serial: str) -> BatchState:
    batch = await ledger.batches.read(serial, 1)
    assert batch is not None
    return batch.state
