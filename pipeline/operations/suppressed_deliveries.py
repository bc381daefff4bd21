"""Deliveries that a retry cannot help, because their addresses are on the suppression list."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from pipeline.domain.models import DeliveryStatus, Recipient
from pipeline.domain.resend_history import ResendHistory, address_of
from pipeline.domain.vault import SealError
from pipeline.store.batches import SuppressedDelivery
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.suppressions import Suppressions

REFUSED = frozenset({DeliveryStatus.FAILED, DeliveryStatus.BOUNCED})
_REACHED = frozenset({DeliveryStatus.SENT, DeliveryStatus.DELIVERED})


class SuppressedDeliveries:
    """Finds the failed deliveries whose addresses are on the suppression list."""

    def __init__(self, campaigns: CampaignStore, suppressions: Suppressions) -> None:
        self._campaigns = campaigns
        self._suppressions = suppressions

    async def find_in(
        self, serial: str, batch: int, ledger: Mapping[int, Sequence[DeliveryRecord]]
    ) -> list[SuppressedDelivery]:
        """
        Return the suppressed deliveries of a batch's *ledger* whose recipients no message reached.

        A batch without failures costs nothing, any other batch one decryption and one look at the
        list. A batch that cannot be opened (purged meanwhile) has no suppressed delivery.
        """
        refused = list(_refused(ledger))
        people: Sequence[tuple[Recipient, ResendHistory]] = ()
        if refused:
            with suppress(SealError):
                people = await self._campaigns.people(serial, batch)
        # An erased recipient has no address, and a dead order's people may have moved.
        sought = [
            (index, record, address)
            for index, record in refused
            if index < len(people) and (address := _address(people[index], record))
        ]
        reasons = await self._suppressions.reasons(
            [(record.channel, address) for _, record, address in sought]
        )
        return [
            SuppressedDelivery(index, record.channel, record.resend_number, reason)
            for (index, record, _), reason in zip(sought, reasons, strict=True)
            if reason is not None
        ]


def count_unreachable(
    ledger: Mapping[int, Sequence[DeliveryRecord]], suppressed: Collection[SuppressedDelivery]
) -> int:
    """Return how many people of *suppressed* a retry can reach over no channel."""
    places = {(each.index, each.channel) for each in suppressed}
    return sum(
        all(
            (index, record.channel) in places
            for record in ledger[index]
            if record.status in REFUSED
        )
        for index in {each.index for each in suppressed}
    )


def _refused(
    ledger: Mapping[int, Sequence[DeliveryRecord]],
) -> Iterator[tuple[int, DeliveryRecord]]:
    for index, records in ledger.items():
        if not any(record.status in _REACHED for record in records):
            yield from ((index, record) for record in records if record.status in REFUSED)


def _address(person: tuple[Recipient, ResendHistory], record: DeliveryRecord) -> str:
    return address_of(*person, record.channel, record.resend_number)
