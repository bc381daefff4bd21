"""What happened to one person of a campaign, as far as the ledger remembers it."""

from collections.abc import Iterator
from typing import Any

from redis.asyncio import Redis

from pipeline.errors import InputError
from pipeline.intake.rows import decode_batch
from pipeline.models import ChannelName, Recipient
from pipeline.moments import next_at, settled_at, started_at
from pipeline.pages import StoredBatch, read_page
from pipeline.reasons import in_words
from pipeline.recount import Entry, Ground
from pipeline.report import link_ref, understood
from pipeline.status import iso
from pipeline.store.campaigns import CampaignStore, Snapshot
from pipeline.store.records import DeliveryRecord
from pipeline.vault import Vault

Event = tuple[int, str]
"""When, in ms since the epoch, and what."""


class Timelines:
    def __init__(self, redis: "Redis", campaigns: CampaignStore, vault: Vault) -> None:
        self._redis = redis
        self._campaigns = campaigns
        self._vault = vault

    async def of(self, snapshot: Snapshot, recipient_id: str) -> dict[str, Any]:
        """
        Return the document of `recipient --json`: no link, addresses masked, times in UTC.

        Raises InputError if the campaign has no such recipient.
        """
        place = await self._campaigns.locate(snapshot, recipient_id)
        if place is None:
            msg = (
                f'Campaign "{snapshot.campaign_id}" has no recipient "{recipient_id}"; ids are'
                " taken exactly as they stand in the list."
            )
            raise InputError(msg)
        number, index = place
        page = await read_page(self._redis, snapshot.serial, [number])
        stored = page.batches[0]
        entry = understood(stored, Ground.of(page.campaign))
        recipient = self._recipient(snapshot.serial, stored, index)
        epoch = int(page.campaign["t0"])
        records = dict(entry.people())[index]
        return {
            "campaign": snapshot.campaign_id,
            "recipient": recipient.id,
            "addresses": _masked(recipient),
            "batch": number,
            "position": index + 1,
            "batch_state": entry.batch.state.value,
            "reason": entry.batch.reason,
            "po_number": entry.batch.po_number,
            "order_id": entry.batch.order_id,
            "link_ref": self._link_ref(snapshot.serial, stored, index),
            "events": [
                {"at": iso(at), "event": event}
                for at, event in sorted(_events(entry, int(page.campaign["sub"]), records, epoch))
            ],
            "deliveries": [_delivery(record, epoch) for record in records],
        }

    def _recipient(self, serial: str, stored: StoredBatch, index: int) -> Recipient:
        plain = self._vault.open(stored.rows or b"", f"rows:{serial}:{stored.number}")
        return decode_batch(plain)[index]

    def _link_ref(self, serial: str, stored: StoredBatch, index: int) -> str | None:
        if stored.links is None:
            return None
        plain = self._vault.open(stored.links, f"links:{serial}:{stored.number}")
        return link_ref(self._vault, plain.decode().split("\n")[index])


def mask(address: str) -> str:
    """Return enough of an address to recognise it: `a…@example.com`, `+49…23`."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}…@{domain}"
    return f"{address[:3]}…{address[-2:]}" if len(address) > 6 else "…"


def _masked(recipient: Recipient) -> dict[str, str]:
    return {
        channel.value: mask(address)
        for channel in ChannelName
        # The id is what a webhook takes, and what the person was asked for by.
        if channel is not ChannelName.WEBHOOK and (address := recipient.address(channel))
    }


def _events(
    entry: Entry, submitted_ms: int, records: tuple[DeliveryRecord, ...], epoch: int
) -> Iterator[Event]:
    batch = entry.batch
    yield submitted_ms, "submitted"
    if batch.placed_ms:
        yield batch.placed_ms, f"ordered under {batch.po_number} as {batch.order_id}"
    elif batch.posts:
        yield batch.first_post_ms, f"order sent under {batch.po_number}; its answer is open"
    if batch.reason:
        yield batch.held_ms, f"held: {in_words(batch.reason)} ({batch.reason})"
    if batch.fulfilled_ms:
        yield batch.fulfilled_ms, "link received and assigned"
    for record in records:
        yield from _attempts(record, epoch)


def _attempts(record: DeliveryRecord, epoch: int) -> Iterator[Event]:
    if record.attempt:
        yield started_at(record, epoch), f"{record.channel}: attempt {record.attempt} started"
    if settled := settled_at(record, epoch):
        why = f", {in_words(record.code)} ({record.code})" if record.code else ""
        yield settled, f"{record.channel}: {record.status}{why}"
    if again := next_at(record, epoch):
        why = f" after {in_words(record.code)} ({record.code})" if record.code else ""
        yield again, f"{record.channel}: to be tried again{why}"


def _delivery(record: DeliveryRecord, epoch: int) -> dict[str, Any]:
    return {
        "channel": record.channel.value,
        "status": record.status.value,
        "code": record.code or None,
        "meaning": in_words(record.code) if record.code else None,
        "attempts": record.attempt,
        "generation": record.generation,
        "started_at": iso(started_at(record, epoch)),
        "settled_at": iso(settled_at(record, epoch)),
        "next_attempt_at": iso(next_at(record, epoch)),
    }
