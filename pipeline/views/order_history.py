"""What became of the orders of one person: the one there is, and dead ones that came before it."""

from collections.abc import Iterator

from redis.asyncio import Redis

from pipeline.domain.batch import Batch
from pipeline.domain.codes import in_words
from pipeline.store.scripts import texts

Event = tuple[int, str]
"""When, in ms since the epoch, and what."""


def order_events(batch: Batch) -> Iterator[Event]:
    if batch.placed_ms:
        yield batch.placed_ms, f"ordered under {batch.po_number} as {batch.order_id}"
    elif batch.posts:
        yield batch.first_post_ms, f"order sent under {batch.po_number}; its answer is open"


async def former_orders(redis: "Redis", serial: str, batch: Batch) -> list[Event]:
    """Return what happened in the batches that people were in before, and why an order ended."""
    events: list[Event] = [*_held(batch)]
    while number := batch.origin:
        found = texts(await redis.hgetall(f"cc:{serial}:b:{number}"))  # type: ignore[misc]
        if not found:
            break
        batch = Batch.parse(found)
        moved = f"the order of batch {number} was given up; moved to batch {batch.into}"
        events += [*order_events(batch), *_held(batch), (batch.reordered_ms, moved)]
    return events


def _held(batch: Batch) -> Iterator[Event]:
    """Tell why the batch was held, if its order was ended for it."""
    if batch.dead:
        yield batch.held_ms, f"held: {in_words(batch.dead)} ({batch.dead})"
