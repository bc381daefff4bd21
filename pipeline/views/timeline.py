"""The timeline of one person of a campaign, as far as the ledger has it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.domain.batch import Lane
from pipeline.domain.campaign_versions import version_at
from pipeline.domain.clock import iso
from pipeline.domain.codes import in_words
from pipeline.domain.models import ChannelName, Recipient
from pipeline.domain.resend_history import ResendHistory, address_of, at_current_addresses
from pipeline.domain.vault import Vault
from pipeline.store.batch_pages import BatchPages, StoredBatch
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.recipient_codec import ERASED_RECIPIENT
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.formats.resends import open_resends
from pipeline.store.formats.sealed_batch import open_links, open_recipients
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.batch_view import BatchView, CampaignTerms, understood
from pipeline.views.delivery_times import next_at, settled_at, started_at
from pipeline.views.order_history import Event, former_orders, order_events
from pipeline.views.person import find_person
from pipeline.views.report import link_ref

_DOING = {Lane.ORDER: "ordering", Lane.READ: "reading the order", Lane.SEND: "sending"}


class Timelines:
    """Builds the timelines of single people."""

    def __init__(self, pages: BatchPages, campaigns: CampaignStore, vault: Vault) -> None:
        self._pages = pages
        self._campaigns = campaigns
        self._vault = vault

    async def of(self, snapshot: CampaignSnapshot, recipient_id: str) -> dict[str, Any]:
        """
        Return the document of `recipient --json`: no link, addresses masked, times in UTC.

        Raises InputError if the campaign has no such recipient.
        """
        page, index = await find_person(self._campaigns, self._pages, snapshot, recipient_id)
        stored = page.batches[0]
        entry = understood(stored, CampaignTerms.of(page.campaign))
        recipient, resends = self._recipient(snapshot.serial, stored, index)
        forgotten_ms = entry.batch.erased.get(index, 0)
        purged_ms = page.campaign.purged_ms
        epoch, began = page.campaign.epoch_ms, page.campaign.version_starts()
        records, earlier = dict(entry.people())[index], entry.earlier.get(index, ())
        return {
            "campaign": snapshot.campaign_id,
            "recipient": recipient_id,
            "forgotten_at": iso(forgotten_ms),
            "purged_at": iso(purged_ms),
            "addresses": _masked(at_current_addresses(recipient, resends)),
            "batch": entry.number,
            "position": index + 1,
            "batch_state": entry.batch.state.value,
            "reason": entry.batch.hold.reason,
            "po_number": entry.batch.order.po_number,
            "order_id": entry.batch.order.id,
            "link_ref": self._link_ref(snapshot.serial, stored, index),
            "events": [
                {"at": iso(at), "event": event}
                for at, event in sorted(
                    [
                        *_events(entry, began, earlier + records, epoch),
                        *_resent(resends),
                        *_removed(forgotten_ms, purged_ms),
                        *await former_orders(self._pages, snapshot.serial, entry.batch),
                    ]
                )
            ],
            "deliveries": [
                _delivery(record, epoch, began) | _destination(record, recipient, resends)
                for record in records
            ],
            "earlier": [
                _delivery(record, epoch, began) | _destination(record, recipient, resends)
                for record in earlier
            ],
        }

    def _recipient(
        self, serial: str, stored: StoredBatch, index: int
    ) -> tuple[Recipient, ResendHistory]:
        """Return the stored recipient; an empty one once the campaign is purged."""
        if stored.rows is None:
            return ERASED_RECIPIENT, ()
        rows = open_recipients(self._vault, serial, stored.number, stored.rows)
        resends = open_resends(self._vault, serial, rows, stored.resends)
        return rows[index], resends.get(index, ())

    def _link_ref(self, serial: str, stored: StoredBatch, index: int) -> str | None:
        if stored.links is None:
            return None
        link = open_links(self._vault, serial, stored.number, stored.links)[index]
        return link_ref(self._vault, link) if link else None


def mask_address(address: str) -> str:
    """Return enough of an address to recognise it: `a…@example.com`, `+49…23`."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}…@{domain}"
    return f"{address[:3]}…{address[-2:]}" if len(address) > 6 else "…"


def _masked(recipient: Recipient) -> dict[str, str]:
    return {
        channel.value: mask_address(address)
        for channel in ChannelName
        # The webhook takes the id, and the operator gave it: it needs no mask.
        if channel is not ChannelName.WEBHOOK and (address := recipient.address(channel))
    }


def _events(
    entry: BatchView, began: Mapping[int, int], records: tuple[DeliveryRecord, ...], epoch: int
) -> Iterator[Event]:
    batch = entry.batch
    for version, at in began.items():
        yield at, "submitted" if version == 1 else f"the campaign was edited: version {version}"
    yield from order_events(batch)
    for lane, at in batch.lease.deaths:
        yield at, f"a worker died while {_DOING[lane]}"
    if batch.hold.reason:
        yield batch.hold.since_ms, f"held: {in_words(batch.hold.reason)} ({batch.hold.reason})"
    if batch.fulfilled_ms:
        yield batch.fulfilled_ms, "link received and assigned"
    for record in records:
        yield from _attempts(record, epoch, began)


def _removed(forgotten_ms: int, purged_ms: int) -> Iterator[Event]:
    if forgotten_ms:
        yield forgotten_ms, "forgotten: name, addresses, variables and link were removed"
    if purged_ms:
        yield purged_ms, "the people and links of the campaign were purged"


def _resent(resends: ResendHistory) -> Iterator[Event]:
    for resend in resends:
        to = _shown(resend.channel, resend.address)
        yield resend.at_ms, f"{resend.channel}: resent as generation {resend.number} to {to}"


def _attempts(record: DeliveryRecord, epoch: int, began: Mapping[int, int]) -> Iterator[Event]:
    name = f"{record.channel}"
    if record.resend_number > 1:
        name += f" (generation {record.resend_number})"
    if started := started_at(record, epoch):
        text = f" with version {version_at(began, started)}" if len(began) > 1 else ""
        yield started, f"{name}: attempt {record.attempt} started{text}"
    if settled := settled_at(record, epoch):
        why = f", {in_words(record.code)} ({record.code})" if record.code else ""
        yield settled, f"{name}: {record.status}{why}"
    if again := next_at(record, epoch):
        why = f" after {in_words(record.code)} ({record.code})" if record.code else ""
        yield again, f"{name}: to be tried again{why}"


def _destination(
    record: DeliveryRecord, recipient: Recipient, resends: ResendHistory
) -> dict[str, str | None]:
    address = address_of(recipient, resends, record.channel, record.resend_number)
    return {"address": _shown(record.channel, address) if address else None}


def _shown(channel: ChannelName, address: str) -> str:
    # The webhook takes the id, and the operator gave it: it needs no mask.
    return address if channel is ChannelName.WEBHOOK else mask_address(address)


def _delivery(record: DeliveryRecord, epoch: int, began: Mapping[int, int]) -> dict[str, Any]:
    started = started_at(record, epoch)
    return {
        "channel": record.channel.value,
        "status": record.status.value,
        "code": record.code or None,
        "meaning": in_words(record.code) if record.code else None,
        "attempts": record.attempt,
        "generation": record.resend_number,
        "version": version_at(began, started) if started else None,
        "started_at": iso(started),
        "settled_at": iso(settled_at(record, epoch)),
        "next_attempt_at": iso(next_at(record, epoch)),
    }
