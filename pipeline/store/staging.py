"""Campaigns on their way in: staged row by row under a nonce, and committed at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.domain.models import BatchState, DeliveryStatus, Recipient
from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.codec import CHANNEL_LETTER
from pipeline.store.formats.recipient_codec import channel_mask
from pipeline.store.formats.sealed_batch import seal_recipients
from pipeline.store.formats.sealed_definition import seal_definition
from pipeline.store.formats.snapshot import batch_counter, delivery_counter, people_counter
from pipeline.store.keys import DISCARDED, STAGING, campaign_keys
from pipeline.store.lookups import id_digest
from pipeline.store.scripts import Scripts, decode_hash, server_ms

_LAPSE_MS = 10_000  # a submit that says nothing for this long is taken for dead
_ROWS_PER_BUCKET = 64  # a listpack up to 512 fields; more would only be slower
_GIVEN_UP = "The submit was interrupted for too long and given up; run it again."


@dataclass(frozen=True, slots=True)
class Staging:
    """A staging area: rows under a serial that no reader knows of before the commit."""

    campaign_id: str
    serial: str
    nonce: str
    buckets: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The campaign is there, by this submit or by one before."""

    serial: str


@dataclass(frozen=True, slots=True)
class StagingBusy:
    """Another process is staging the same campaign; it lapses after *seconds* of silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PendingSubmit:
    """A submit that has not been completed; after `lapses_ms` it is taken for dead."""

    lapses_ms: int
    now_ms: int

    @property
    def alive(self) -> bool:
        return self.now_ms < self.lapses_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a complete intake adds up to; `content` is a digest of all rows in order."""

    recipients: int
    deliveries: int
    batches: int
    batch_size: int
    content: str
    start_ms: int = 0


class StagingStore:
    """
    Stages campaigns: nobody sees a staged campaign before the commit makes it real in one step.

    The next submit of the same id, or `sweep`, removes what a dead submit has left behind.
    """

    def __init__(self, redis: Client, scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._call = scripts.call
        self._vault = vault

    async def begin(
        self, campaign_id: str, nonce: str, *, expected_rows: int
    ) -> Staging | Committed | StagingBusy:
        """Open a staging area, or say why not; repeating it keeps the area alive."""
        kind, serial, *rest = await self._call("stage_begin", campaign_id, nonce, _LAPSE_MS)
        if kind == b"committed":
            return Committed(serial.decode())
        if kind == b"busy":
            return StagingBusy(int(serial) / 1000)
        if rest[0]:
            await self._remove_keys(rest[0].decode())
        buckets = max(1, expected_rows // _ROWS_PER_BUCKET)
        return Staging(campaign_id, serial.decode(), nonce, buckets)

    async def stage(
        self, staging: Staging, number: int, batch: Sequence[Recipient], first: int, plan: str
    ) -> int | None:
        """
        Write one batch; return the position of a recipient whose id is a duplicate, or None.

        Raises InputError if the staging area was given up meanwhile (this process was too slow).
        """
        digests = b"".join(
            id_digest(self._vault, staging.serial, recipient.id) for recipient in batch
        )
        sealed = seal_recipients(self._vault, staging.serial, number, batch)
        reply: bytes = await self._call(
            "stage_batch",
            staging.campaign_id,
            staging.serial,
            staging.nonce,
            _LAPSE_MS,
            number,
            plan,
            sealed,
            first,
            staging.buckets,
            digests,
        )
        if reply == b"lost":
            raise InputError(_GIVEN_UP)
        return None if reply == b"ok" else int(reply.split()[1])

    async def commit(self, staging: Staging, campaign: Campaign, totals: Totals) -> Committed:
        """Make the staged campaign real; InputError if the area is gone. May be repeated."""
        fields = _first_fields(campaign, staging, totals)
        flat_fields = [part for pair in fields.items() for part in pair]
        kind, serial = await self._call(
            "commit",
            staging.campaign_id,
            staging.serial,
            staging.nonce,
            seal_definition(self._vault, staging.serial, campaign),
            totals.start_ms,
            *flat_fields,
        )
        if kind == b"lost":
            raise InputError(_GIVEN_UP)
        return Committed(serial.decode())

    async def discard(self, staging: Staging) -> None:
        """Remove a staging area and all that was written into it; may be called twice."""
        args = (staging.campaign_id, staging.serial, staging.nonce)
        if await self._call("stage_drop", *args):
            await self._remove_keys(staging.serial)

    async def sweep(self) -> int:
        """Remove what dead submits left behind; return how many were removed."""
        for campaign_id, entry in decode_hash(await self._redis.hgetall(STAGING)).items():
            await self._call("stage_drop", campaign_id, entry.split()[0], "")
        discarded = await self._redis.smembers(DISCARDED)
        for serial in discarded:
            await self._remove_keys(serial.decode())
        return len(discarded)

    async def pending(self, campaign_id: str) -> PendingSubmit | None:
        """Return the submit of a campaign that is not committed; None if there is none."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(STAGING, campaign_id)
            pipe.time()
            entry, time = await pipe.execute()
        if entry is None:
            return None
        lapses_ms = int(entry.split()[-1])  # see stage_begin.lua
        return PendingSubmit(lapses_ms, server_ms(time))

    async def _remove_keys(self, serial: str) -> None:
        async for key in self._redis.scan_iter(match=campaign_keys(serial), count=1000):
            await self._redis.unlink(key)
        await self._redis.srem(DISCARDED, serial)


def plan_of(campaign: Campaign, batch: Sequence[Recipient]) -> str:
    """Return which channels each recipient can be reached by, one character each."""
    channels = campaign.delivery.channels
    return "".join(chr(ord("0") + channel_mask(recipient, channels)) for recipient in batch)


def planned_deliveries(plan: str, mode: str) -> int:
    """Return how many deliveries a batch begins with: one each, or one for each channel."""
    if mode == "first":
        return len(plan)
    return sum((ord(mask) - ord("0")).bit_count() for mask in plan)


def _first_fields(campaign: Campaign, staging: Staging, totals: Totals) -> dict[str, str | int]:
    """Return what the hash of a campaign begins with, besides what `commit.lua` knows itself."""
    channels = campaign.delivery.channels
    return {
        "ver": 1,
        "n": totals.recipients,
        "nb": totals.batches,
        "bs": totals.batch_size,
        "xb": staging.buckets,
        "content": totals.content,
        "channels": "".join(CHANNEL_LETTER[channel] for channel in channels),
        "mode": campaign.delivery.mode,
        "resend": "".join(
            CHANNEL_LETTER[channel] for channel in channels if campaign.resends(channel)
        ),
        delivery_counter(DeliveryStatus.PENDING): totals.deliveries,
        people_counter("open"): totals.recipients,
        batch_counter(BatchState.PLANNED): totals.batches,
    }
