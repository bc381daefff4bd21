"""What must hold of one batch between two steps, and what it adds to the counters; pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.domain.batch import Batch, Lane
from pipeline.domain.models import BatchState, DeliveryStatus
from pipeline.store.formats.records import DeliveryRecord, reachable
from pipeline.store.formats.snapshot import (
    ERASED_UNCERTAIN,
    batch_counter,
    channel_counter,
    delivery_counter,
    held_counter,
    links_counter,
    note_counter,
    people_counter,
)
from pipeline.store.keys import due_index
from pipeline.views.batch_view import BatchView, DeliveryRecords

OPEN = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.UNCERTAIN})
UNFINISHED = frozenset(
    {BatchState.PLANNED, BatchState.ORDERED, BatchState.FULFILLED, BatchState.HELD}
)
_REACHED = frozenset({DeliveryStatus.SENT, DeliveryStatus.DELIVERED})
_LEFT = frozenset({DeliveryStatus.SKIPPED, DeliveryStatus.UNCERTAIN})
_ORDERED = frozenset({BatchState.ORDERED, BatchState.FULFILLED, BatchState.DONE})
_FULFILLED = frozenset({BatchState.FULFILLED, BatchState.DONE})
_LANES: Mapping[BatchState, frozenset[Lane]] = {
    BatchState.PLANNED: frozenset({Lane.ORDER}),
    BatchState.ORDERED: frozenset({Lane.READ}),
    BatchState.FULFILLED: frozenset({Lane.SEND}),
    BatchState.HELD: frozenset({Lane.HELD, Lane.READ}),  # an overdue order is still read
}


@dataclass(frozen=True, slots=True)
class Violation:
    """
    One invariant of docs/internals/invariants.md that does not hold.

    *found* shows no link and no address.
    """

    invariant: int
    rule: str
    batch: int | None
    found: str

    def __str__(self) -> str:
        place = "campaign" if self.batch is None else f"batch {self.batch}"
        return f"invariant {self.invariant} ({self.rule}), {place}: {self.found}"


def tally(entry: BatchView) -> Counter[str]:
    """Return what this batch adds to the counters of its campaign's hash."""
    batch, counted = entry.batch, Counter({batch_counter(entry.batch.state): 1})
    for _, records in entry.people():
        counted.update(delivery_counter(record.status) for record in records)
        counted.update(
            ERASED_UNCERTAIN
            for record in records
            if record.status is DeliveryStatus.UNCERTAIN and _is_erased(record)
        )
        counted.update(
            channel_counter(record.channel, record.status)
            for record in records
            if record.status is not DeliveryStatus.PENDING
        )
        counted[_person(records)] += 1
    if batch.hold.reason:
        counted[held_counter(batch.hold.reason)] += 1
    if batch.note:
        counted[note_counter(batch.note)] += 1
    counted.update(_links(entry))
    return counted


def batch_violations(entry: BatchView) -> Iterator[Violation]:
    """Yield what is wrong with one batch, as far as the unsealed fields show it."""
    for invariant, rule, found in (
        *_order_faults(entry.batch),
        *_ledger_faults(entry),
        *_due_faults(entry),
    ):
        yield Violation(invariant, rule, entry.number, found)


def link_violations(links: Sequence[str], entry: BatchView) -> Iterator[Violation]:
    """
    Yield what is wrong with the links of one batch by themselves.

    The links of erased recipients must be empty.
    """
    number, size, gone = entry.number, entry.batch.size, entry.batch.erased
    if len(links) != size:
        yield Violation(2, "link_count", number, f"{len(links)} links for {size} recipients")
    left = [str(index + 1) for index in sorted(gone) if index < len(links) and links[index]]
    if left:
        found = f"the link of recipient {', '.join(left)}, who was forgotten, still rests here"
        yield Violation(6, "forgotten", number, found)
    kept = [(k, link) for k, link in enumerate(links, start=1) if k - 1 not in gone]
    bad = [str(k) for k, link in kept if not _is_https(link)]
    if bad:
        yield Violation(2, "link_https", number, f"link {', '.join(bad)} is no https URL")
    first: dict[str, int] = {}
    for k, link in kept:
        if first.setdefault(link, k) != k:
            found = f"recipients {first[link]} and {k} hold the same link"
            yield Violation(4, "link_twice", number, found)


def _person(records: DeliveryRecords) -> str:
    statuses = {record.status for record in records if not _is_erased(record)}
    if statuses & _REACHED:
        return people_counter("reached")
    if statuses & OPEN:
        return people_counter("open")
    excused = DeliveryStatus.SUPPRESSED in statuses or any(map(_is_erased, records))
    return people_counter("reached") if excused else people_counter("not_reached")


def _is_erased(record: DeliveryRecord) -> bool:
    """Return whether the erasure of its recipient ended this delivery, or left it uncertain."""
    return record.code == "forgotten" and record.status in _LEFT


def _links(entry: BatchView) -> dict[str, int]:
    batch = entry.batch
    if batch.order.id is None:
        return {}
    counted = {
        links_counter("ordered"): batch.quantity,
        links_counter("missing"): batch.order.missing,
    }
    if not batch.fulfilled_ms:
        return counted | {links_counter("awaited"): batch.quantity - batch.order.missing}
    spare = sum(
        batch.spare or _unsent(entry, index, records)
        for index, records in entry.people()
        if index not in batch.erased
    )
    return counted | {
        links_counter("received"): batch.size,
        links_counter("assigned"): batch.size - spare,
        links_counter("spare"): spare,
    }


def _unsent(entry: BatchView, index: int, records: DeliveryRecords) -> bool:
    """Return whether the campaign was cancelled before any attempt to reach this person began."""
    return index not in entry.earlier and all(
        record.code == "cancelled" and not record.attempt for record in records
    )


def _order_faults(batch: Batch) -> Iterator[tuple[int, str, str]]:
    state, ordered = batch.state, batch.order.id is not None
    if state in _ORDERED and not ordered:
        yield 1, "order_id", f"it is {state}, but has no order id"
    if ordered and batch.order.po_number is None:
        yield 1, "po_number", f"order {batch.order.id} has no PO number"
    if batch.fulfilled_ms and not ordered:
        yield 2, "links_stored", "it has links, but no order"
    if state in _FULFILLED and not batch.fulfilled_ms:
        yield 2, "links_stored", f"it is {state}, but has no links"
    least = batch.quantity - batch.size if batch.fulfilled_ms else 0
    most = least if batch.fulfilled_ms else batch.quantity
    if not least <= batch.order.missing <= most:
        yield 5, "missing_links", f"{batch.order.missing} links are missing of {batch.quantity}"


def _ledger_faults(entry: BatchView) -> Iterator[tuple[int, str, str]]:
    if entry.damaged:
        yield 7, "ledger", f"fields {', '.join(sorted(entry.damaged))} are no delivery records"
    for index, records in entry.ledger.items():
        channels = [record.channel for record in records]
        known = reachable(entry.terms.channels, entry.batch.plan, index)
        if len(set(channels)) != len(channels) or not set(channels) <= set(known):
            yield 7, "ledger", f"recipient {index + 1} has deliveries over {', '.join(channels)}"
        waits = any(record.status is DeliveryStatus.PENDING for record in records)
        if waits and index in entry.batch.erased:
            yield 7, "forgotten", f"recipient {index + 1} was forgotten, but a message waits"
        if not _numbers_grow(entry.earlier.get(index, ()), records):
            yield 7, "ledger", f"the generations of recipient {index + 1} are not in their turn"
    deliveries = [record for _, records in entry.people() for record in records]
    started = sum(record.attempt > 0 for record in deliveries)
    if started and not entry.batch.fulfilled_ms:
        yield 2, "sent_without_links", f"{started} deliveries were started before links came"
    still_open = sum(record.status in OPEN and not _is_erased(record) for record in deliveries)
    if still_open and entry.batch.state is BatchState.DONE:
        yield 7, "done_batch", f"it is done, but {still_open} deliveries are open"


def _numbers_grow(earlier: DeliveryRecords, records: DeliveryRecords) -> bool:
    """Return whether resend numbers are distinct and grow on each channel."""
    last = {record.channel: record.resend_number for record in records}
    numbers = [(record.channel, record.resend_number) for record in earlier]
    return len(set(numbers)) == len(numbers) and all(
        number < last.get(channel, 0) for channel, number in numbers
    )


def _due_faults(entry: BatchView) -> Iterator[tuple[int, str, str]]:
    state = entry.batch.state
    shown = " and ".join(f'"{due_index(lane)}"' for lane in entry.lanes) or "none"
    if state not in UNFINISHED:
        if entry.lanes:
            yield 7, "due_index", f"it is {state}, but stands in due index {shown}"
        return
    # A batch that was held when its campaign was cancelled keeps the lane that it was in.
    anywhere = entry.terms.cancelled and state is BatchState.HELD
    allowed = frozenset(Lane) if anywhere else _LANES[state]
    if len(entry.lanes) != 1 or entry.lanes[0] not in allowed:
        yield 7, "due_index", f"it is {state} and stands in due index {shown}"


def _is_https(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)
