"""The delivery ledger in Redis: intents before the effect, facts after it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from pipeline.domain.errors import AbandonedError, StaleLeaseError
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store.batches import Claim
from pipeline.store.client import Client
from pipeline.store.codec import CHANNEL_LETTER, FACT_LETTER
from pipeline.store.formats.records import DeliveryRecord, parse_record
from pipeline.store.keys import ledger_key
from pipeline.store.scripts import Scripts, decode_hash

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

BatchKey = tuple[str, int]

ResendOutcome = Literal["ok", "changed", "cancelled", "gone"]
"""What became of a resend; `resend.lua` says when."""


@dataclass(frozen=True, slots=True)
class RecipientPlace:
    """Where a recipient stands."""

    serial: str
    batch: int
    index: int


@dataclass(slots=True)  # not frozen: made for each message, at a third of the cost
class Fact:
    """
    Something that happened to an attempt; the verb `record` says what each kind does.

    `suppress` is where its address goes in the suppression list, if nobody may write to it again.
    """

    index: int
    channel: ChannelName
    attempt: int
    kind: FactKind
    code: str = ""
    delay: float = 0.0
    resend_number: int = 1
    suppress: tuple[str, bytes] | None = None


@dataclass(slots=True)  # as above
class IntentRequest:
    """
    A delivery that a worker wants to start; `attempt` is the last one that the worker knows of.

    `suppression` is where its address would stand in the suppression list, which the same step
    checks.
    """

    index: int
    channel: ChannelName
    attempt: int
    suppression: tuple[str, bytes] | None = None
    resend_number: int = 1


class DeliveryStore:
    """The ledger of deliveries: an intent before each attempt, facts after it, and resends."""

    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._call = scripts.call
        self.waits_for_disk = scripts.waits_for_disk
        """Whether an intent takes seconds, as the server does not sync every write."""

    async def intend(self, claim: Claim, wanted: Sequence[IntentRequest]) -> list[int]:
        """
        Record the intent to send; return the attempt number per delivery, 0 where refused.

        Durable when it returns. Raises StaleLeaseError, or AbandonedError when the campaign was
        paused, cancelled or edited since the claim. May be repeated with the same arguments.
        """
        unit = claim.unit
        reply = await self._call(
            "intend",
            *(unit.serial, unit.batch, claim.token, claim.version),
            _encode([_request_row(delivery) for delivery in wanted]),
            b"".join(delivery.suppression[1] for delivery in wanted if delivery.suppression),
        )
        if reply == b"stale":
            msg = f"batch {unit.batch} of campaign {unit.serial}"
            raise StaleLeaseError(msg)
        if isinstance(reply, bytes):
            raise AbandonedError(reply.decode())
        return [int(attempt) for attempt in reply]

    async def record(self, facts: Mapping[BatchKey, Iterable[Fact]]) -> int:
        """Record facts, of any worker, in any order, any number of times; return the changes."""
        groups = [
            [
                serial,
                batch,
                [_fact_row(fact) for fact in found],
            ]
            for (serial, batch), found in facts.items()
        ]
        return int(await self._call("record", _encode(groups)))

    async def resend(
        self,
        place: RecipientPlace,
        channel: ChannelName,
        resend_number: int,
        *,
        seen: str,
        sealed: bytes,
    ) -> ResendOutcome:
        """
        Make a channel's message pending under its next *resend_number*, if all is as *seen*.

        *seen* is the person's ledger field, *sealed* their resends with this one. Durable when it
        returns "ok". May be repeated with the same arguments.
        """
        where = (place.serial, place.batch, place.index, CHANNEL_LETTER[channel])
        reply = await self._call("resend", *where, resend_number, seen, sealed)
        return cast("ResendOutcome", reply.decode())

    async def read(self, serial: str, batch: int) -> dict[int, tuple[DeliveryRecord, ...]]:
        """Return the ledger of a batch; a recipient without a field has not been tried."""
        reply = decode_hash(await self._redis.hgetall(ledger_key(serial, batch)))
        return {int(index): parse_record(text) for index, text in reply.items()}


def _request_row(delivery: IntentRequest) -> list[str | int]:
    """Return a requested delivery as `intend.lua` reads it."""
    place = delivery.suppression[:1] if delivery.suppression else ()
    return [
        delivery.index,
        CHANNEL_LETTER[delivery.channel],
        delivery.resend_number,
        delivery.attempt,
        *place,
    ]


def _fact_row(fact: Fact) -> list[str | int]:
    """Return a fact as `record.lua` reads it."""
    place = (fact.suppress[0], fact.suppress[1].hex()) if fact.suppress else ()
    return [
        fact.index,
        CHANNEL_LETTER[fact.channel],
        fact.attempt,
        FACT_LETTER[fact.kind],
        fact.code,
        round(fact.delay * 1000),
        fact.resend_number,
        *place,
    ]
