"""The delivery ledger in Redis: intents before the effect, facts after it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from pipeline.errors import AbandonedError, StaleLeaseError
from pipeline.models import ChannelName, FactKind
from pipeline.store.batches import Claim
from pipeline.store.records import LETTER, DeliveryRecord, parse_record
from pipeline.store.scripts import Scripts, texts

BatchKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to an attempt; the kinds are in `lua/record.lua`."""

    index: int
    channel: ChannelName
    attempt: int
    kind: FactKind
    code: str = ""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A delivery that a worker wants to start; `attempt` is the last one it knows of.

    `suppression` is where its address would stand in the suppression list, which is looked at in
    the same step.
    """

    index: int
    channel: ChannelName
    attempt: int
    suppression: tuple[str, bytes] | None = None


class DeliveryStore:
    def __init__(self, redis: "Redis", scripts: Scripts) -> None:
        self._redis = redis
        self._run = scripts.run

    async def intend(self, claim: Claim, wanted: Sequence[Wanted]) -> list[int]:
        """
        Record the intent to send; return the attempt number per delivery, 0 where refused.

        Durable when it returns. Raises StaleLeaseError, or AbandonedError when the campaign was
        paused or cancelled. May be repeated with the same arguments.
        """
        args: list[str | bytes | int] = []
        for delivery in wanted:
            args += [delivery.index, LETTER[delivery.channel], delivery.attempt]
            args += delivery.suppression or ("", "")
        unit = claim.unit
        reply = await self._run("intend", unit.serial, unit.batch, claim.token, *args)
        if reply == b"stale":
            msg = f"batch {unit.batch} of campaign {unit.serial}"
            raise StaleLeaseError(msg)
        if reply == b"halted":
            raise AbandonedError("halted")
        return [int(attempt) for attempt in reply]

    async def record(self, facts: Mapping[BatchKey, Iterable[Fact]]) -> int:
        """Record facts, of any worker, in any order, any number of times; return the changes."""
        groups = [
            [
                serial,
                batch,
                [
                    [f.index, LETTER[f.channel], f.attempt, f.kind, f.code, round(f.delay * 1000)]
                    for f in found
                ],
            ]
            for (serial, batch), found in facts.items()
        ]
        return int(await self._run("record", json.dumps(groups)))

    async def read(self, serial: str, batch: int) -> dict[int, tuple[DeliveryRecord, ...]]:
        """Return the ledger of a batch; a recipient without a field has not been tried."""
        reply = texts(await self._redis.hgetall(f"cc:{serial}:d:{batch}"))  # type: ignore[misc]
        return {int(index): parse_record(text) for index, text in reply.items()}
