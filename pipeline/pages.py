"""Batches as they rest in Redis, read a page at a time, each page as it stood at one moment."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from pipeline.batch import Lane
from pipeline.store.scripts import texts

_PAGE = 50  # batches, about 100 kB: little memory, and no long silence for the workers


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """
    What Redis holds of one batch; `fields` is empty if there is no such batch.

    `lanes` are the due indexes that it stands in. The blobs are sealed; None is an absent one.
    """

    number: int
    fields: Mapping[str, str]
    ledger: Mapping[str, str]
    lanes: tuple[Lane, ...]
    rows: bytes | None
    links: bytes | None
    evidence: bytes | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some batches and the flags and counters of their campaign, of the same moment."""

    campaign: Mapping[str, str]
    batches: Sequence[StoredBatch]


async def read_pages(
    redis: "Redis", serial: str, count: int, *, sealed: bool = True
) -> AsyncIterator[Page]:
    """Yield batches 1 to *count* in their order; without *sealed* the blobs are left out."""
    for first in range(1, count + 1, _PAGE):
        numbers = range(first, min(first + _PAGE, count + 1))
        yield await read_page(redis, serial, numbers, sealed=sealed)


async def read_page(
    redis: "Redis", serial: str, numbers: Sequence[int], *, sealed: bool = True
) -> Page:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(f"cc:{serial}")
        for number in numbers:
            _ask(pipe, serial, number, sealed=sealed)
        campaign, *rest = await pipe.execute()
    replies = iter(rest)
    return Page(texts(campaign), [_batch(number, replies, sealed) for number in numbers])


def _ask(pipe: Any, serial: str, number: int, *, sealed: bool) -> None:  # noqa: ANN401 - untyped in redis-py
    pipe.hgetall(f"cc:{serial}:b:{number}")
    pipe.hgetall(f"cc:{serial}:d:{number}")
    for lane in Lane:
        pipe.zscore(f"cc:{serial}:due:{lane}", number)
    for kind in ("r", "k", "raw") if sealed else ():
        pipe.get(f"cc:{serial}:{kind}:{number}")


def _batch(number: int, replies: Iterator[Any], sealed: bool) -> StoredBatch:  # noqa: FBT001 - private
    fields, ledger = texts(next(replies)), texts(next(replies))
    lanes = tuple(lane for lane in Lane if next(replies) is not None)
    rows, links, evidence = (next(replies) if sealed else None for _ in range(3))
    return StoredBatch(
        number=number,
        fields=fields,
        ledger=ledger,
        lanes=lanes,
        rows=rows,
        links=links,
        evidence=evidence,
    )
