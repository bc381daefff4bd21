"""The orders of one person: the current one, and the dead ones before it."""

from collections.abc import Iterator

from pipeline.domain.batch import Batch
from pipeline.domain.codes import in_words
from pipeline.store.batch_pages import BatchPages

Event = tuple[int, str]
"""The time in ms since the epoch, and what happened."""


def order_events(batch: Batch) -> Iterator[Event]:
    """Return what happened to the order of a batch, as far as its fields say."""
    if batch.order.placed_ms:
        yield batch.order.placed_ms, f"ordered under {batch.order.po_number} as {batch.order.id}"
    elif batch.order.posts:
        yield (
            batch.order.first_post_ms,
            f"order sent under {batch.order.po_number}; its answer is open",
        )


async def former_orders(pages: BatchPages, serial: str, batch: Batch) -> list[Event]:
    """Return the events of the batches that people were in before, and why each order ended."""
    events: list[Event] = [*_held(batch)]
    while number := batch.replacement.origin:
        page = await pages.page(serial, [number], sealed=False)
        stored = page.batches[0]
        if not stored.exists:
            break
        batch = stored.decode()
        moved = (
            f"the order of batch {number} was given up; moved to batch {batch.replacement.into}"
        )
        events += [*order_events(batch), *_held(batch), (batch.replacement.at_ms, moved)]
    return events


def _held(batch: Batch) -> Iterator[Event]:
    """Return why the batch was held, if its order was ended for it."""
    if batch.replacement.dead:
        yield (
            batch.hold.since_ms,
            f"held: {in_words(batch.replacement.dead)} ({batch.replacement.dead})",
        )
