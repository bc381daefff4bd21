"""Composes the messages of a new version for everybody who may still get one, without sending."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import PermanentError
from pipeline.domain.models import (
    BatchState,
    ChannelName,
    DeliveryStatus,
    Recipient,
    ReturnPaths,
    delivery_key,
)
from pipeline.domain.ports import Composer
from pipeline.domain.templates import template_values
from pipeline.intake.template_checks import needed_columns
from pipeline.store.batches import BatchStore
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.formats.records import DeliveryRecord, initial_records, reachable
from pipeline.store.formats.snapshot import CampaignSnapshot

FAILURES_SHOWN = 20
"""How many of the people for whom a message fails are named."""

_LINK = "https://claim.example/EXAMPLE-LINK"
_ENDED = frozenset({BatchState.DONE, BatchState.CANCELLED})
_OPEN = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.UNCERTAIN})
_REACHED = frozenset({DeliveryStatus.SENT, DeliveryStatus.DELIVERED})
_OWN_ADDRESS = frozenset({"bad_address", "sms_bad_number"})  # no change of a text can cure these


async def remaining_deliveries(
    campaigns: CampaignStore,
    batches: BatchStore,
    deliveries: DeliveryStore,
    snapshot: CampaignSnapshot,
    wanted: Campaign,
) -> AsyncIterator[tuple[Recipient, list[ChannelName]]]:
    """
    Yield by batch each recipient who may still be sent a message, and over which channels.

    In mode "first" a recipient who was reached is sent nothing more, unless a bounce comes.
    """
    for number in range(1, snapshot.batch_count + 1):
        batch = await batches.read(snapshot.serial, number)
        if batch is None or batch.state in _ENDED:
            continue
        ledger = await deliveries.read(snapshot.serial, number)
        people = await campaigns.current_recipients(snapshot.serial, number)
        for index, recipient in enumerate(people):
            if index in batch.erased:
                continue
            channels = _still_open(wanted, batch.plan, index, ledger.get(index))
            if channels:
                yield recipient, channels


class EditDryRun:
    """
    Composes the messages of a new definition for one recipient after the other.

    *composers* holds one for each channel of `wanted.delivery`. Raises InputError if a template
    cannot be used. `failures` names the first people for whom it failed, each with what is wrong.
    """

    def __init__(self, wanted: Campaign, composers: Mapping[ChannelName, Composer]) -> None:
        self._id = wanted.id
        self._composers = composers
        self._needed = needed_columns(wanted)
        self.people = 0
        self.failure_count = 0
        self.failures: list[str] = []

    def compose_for(
        self, recipient: Recipient, channels: Sequence[ChannelName], sent_at: float
    ) -> None:
        """Compose the messages of *recipient* over *channels* as if sent at *sent_at*."""
        self.people += 1
        faults = list(self._unfilled(recipient)) or [
            fault for channel in channels if (fault := self._fault(recipient, channel, sent_at))
        ]
        if faults:
            self.failure_count += 1
        if faults and len(self.failures) < FAILURES_SHOWN:
            self.failures.append(f"{recipient.id}: {'; '.join(faults)}")

    def _unfilled(self, recipient: Recipient) -> Iterator[str]:
        available = template_values(recipient, _LINK)
        for name, template in self._needed.items():
            if name not in available:
                yield f"{template} uses {{{{ {name} }}}}, which is not in the list"

    def _fault(self, recipient: Recipient, channel: ChannelName, sent_at: float) -> str:
        key = delivery_key(self._id, recipient.id, channel)
        try:
            self._composers[channel].compose(
                recipient, _LINK, key, sent_at=sent_at, returns=ReturnPaths()
            )
        except PermanentError as error:
            return "" if error.code in _OWN_ADDRESS else error.detail
        except Exception as error:  # noqa: BLE001 - whatever it is, sending would fail too
            return f"{channel} cannot be composed ({type(error).__name__})"
        return ""


def _still_open(
    wanted: Campaign, plan: str, index: int, records: Sequence[DeliveryRecord] | None
) -> list[ChannelName]:
    """Return the channels over which a person may still be sent something."""
    delivery = wanted.delivery
    stored = {
        record.channel: record
        for record in records or initial_records(delivery.channels, delivery.mode, plan, index)
    }
    statuses = {record.status for record in stored.values()}
    ended = any(r.status is DeliveryStatus.SKIPPED and r.code != "retry" for r in stored.values())
    if ended or (delivery.mode == "first" and statuses & _REACHED):
        return []
    return [
        channel
        for channel in reachable(delivery.channels, plan, index)
        if channel not in stored
        or stored[channel].status in _OPEN
        or stored[channel].status is DeliveryStatus.SKIPPED
    ]
