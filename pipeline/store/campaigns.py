"""Campaigns in Redis: staged row by row, committed at once, then steered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.domain.batch import Lane
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.domain.models import BatchState, DeliveryStatus, Recipient
from pipeline.domain.resend_history import Generations, readdressed
from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.codec import CHANNEL_LETTER, LANE_LETTER
from pipeline.store.formats.recipient_codec import channel_mask
from pipeline.store.formats.resends import open_generations
from pipeline.store.formats.sealed_batch import open_recipients, seal_recipients
from pipeline.store.formats.snapshot import (
    CampaignSnapshot,
    batch_counter,
    delivery_counter,
    people_counter,
)
from pipeline.store.keys import (
    ACTIVE,
    DISCARDED,
    IDS,
    STAGING,
    campaign_key,
    campaign_keys,
    definition_key,
    definition_purpose,
    due_key,
    earlier_definition_key,
    lookup_key,
    recipients_key,
    resends_key,
)
from pipeline.store.lookups import bucket_of, id_digest
from pipeline.store.scripts import Scripts, texts

Edited = Literal["ok", "other", "running", "ended"]
"""What became of an edit; `edit.lua` says when."""

_PATIENCE_MS = 10_000  # a submit that says nothing for this long is taken for dead
_ROWS_PER_BUCKET = 64  # a listpack up to 512 fields; more would only be slower
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Staging:
    """A staging area: rows under a serial that no reader knows of before the commit."""

    campaign_id: str
    serial: str
    nonce: str
    buckets: int


@dataclass(frozen=True, slots=True)
class Committed:
    serial: str


@dataclass(frozen=True, slots=True)
class Busy:
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


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """A campaign's counters and what its indexes hold, of the same moment."""

    snapshot: CampaignSnapshot
    due: int
    active: bool


class CampaignStore:
    def __init__(self, redis: Client, scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._run = scripts.run
        self._vault = vault

    async def begin(
        self, campaign_id: str, nonce: str, *, expected_rows: int
    ) -> Staging | Committed | Busy:
        """Open a staging area, or say why not; repeating it keeps the area alive."""
        kind, serial, *rest = await self._run("stage_begin", campaign_id, nonce, _PATIENCE_MS)
        if kind == b"committed":
            return Committed(serial.decode())
        if kind == b"busy":
            return Busy(int(serial) / 1000)
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
        reply: bytes = await self._run(
            "stage_batch",
            staging.campaign_id,
            staging.serial,
            staging.nonce,
            _PATIENCE_MS,
            number,
            plan,
            sealed,
            first,
            staging.buckets,
            digests,
        )
        if reply == b"lost":
            msg = "The submit was interrupted for too long and given up; run it again."
            raise InputError(msg)
        return None if reply == b"ok" else int(reply.split()[1])

    async def commit(self, staging: Staging, campaign: Campaign, totals: Totals) -> Committed:
        """Make the staged campaign real; InputError if the area is gone. May be repeated."""
        channels = campaign.delivery.channels
        fields: dict[str, str | int] = {
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
        flat_fields = [part for pair in fields.items() for part in pair]
        kind, serial = await self._run(
            "commit",
            staging.campaign_id,
            staging.serial,
            staging.nonce,
            self._sealed(staging.serial, campaign),
            totals.start_ms,
            *flat_fields,
        )
        if kind == b"lost":
            msg = "The submit was interrupted for too long and given up; run it again."
            raise InputError(msg)
        return Committed(serial.decode())

    async def discard(self, staging: Staging) -> None:
        """Remove a staging area and all that was written into it; may be called twice."""
        args = (staging.campaign_id, staging.serial, staging.nonce)
        if await self._run("stage_drop", *args):
            await self._remove_keys(staging.serial)

    async def sweep(self) -> int:
        """Remove what dead submits left behind; return how many were removed."""
        for campaign_id, entry in texts(await self._redis.hgetall(STAGING)).items():
            await self._run("stage_drop", campaign_id, entry.split()[0], "")
        discarded = await self._redis.smembers(DISCARDED)
        for serial in discarded:
            await self._remove_keys(serial.decode())
        return len(discarded)

    async def find(self, campaign_id: str) -> str | None:
        serial = await self._redis.hget(IDS, campaign_id)
        return None if serial is None else serial.decode()

    async def ids(self) -> dict[str, str]:
        """Return every committed campaign's id and serial, oldest first."""
        found = texts(await self._redis.hgetall(IDS))
        return dict(sorted(found.items(), key=lambda item: int(item[1])))

    async def snapshot(self, serial: str) -> CampaignSnapshot:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(campaign_key(serial))
            pipe.time()
            fields, (seconds, micros) = await pipe.execute()
        return CampaignSnapshot(serial, texts(fields), seconds * 1000 + micros // 1000)

    async def definition(self, serial: str) -> Campaign:
        sealed = await self.sealed_definition(serial)
        return Campaign.model_validate_json(
            self._vault.open(sealed or b"", definition_purpose(serial))
        )

    async def sealed_definition(self, serial: str) -> bytes | None:
        """Return the definition as it rests, for who has to look whether it can be opened."""
        return await self._redis.get(definition_key(serial))

    async def earlier(self, serial: str, version: int) -> Campaign | None:
        """Return the definition that an edit replaced; None if it is not kept."""
        sealed = await self._redis.get(earlier_definition_key(serial, version))
        if sealed is None:
            return None
        return Campaign.model_validate_json(self._vault.open(sealed, definition_purpose(serial)))

    async def edit(
        self, serial: str, campaign: Campaign, *, made_from: int, nonce: str
    ) -> tuple[Edited, int]:
        """
        Make *campaign* the next version of a paused campaign, if it still is at *made_from*.

        Returns what became of it and the version there is now. May be repeated with its nonce.
        """
        sealed = self._sealed(serial, campaign)
        outcome, version = await self._run("edit", serial, made_from, nonce, sealed)
        return outcome.decode(), int(version)

    async def recipients(self, serial: str, batch: int) -> list[Recipient]:
        sealed = await self._redis.get(recipients_key(serial, batch))
        return open_recipients(self._vault, serial, batch, sealed)

    async def people(self, serial: str, batch: int) -> list[tuple[Recipient, Generations]]:
        """Return the recipients of a batch as they were submitted, each with its resends."""
        recipients = await self.recipients(serial, batch)
        fields = await self._redis.hgetall(resends_key(serial, batch))
        sealed = {int(index): blob for index, blob in fields.items()}
        found = open_generations(self._vault, serial, recipients, sealed)
        return [(person, found.get(index, ())) for index, person in enumerate(recipients)]

    async def readdressed(self, serial: str, batch: int) -> list[Recipient]:
        """Return the recipients of a batch with the addresses that messages go to by now."""
        return [readdressed(*person) for person in await self.people(serial, batch)]

    async def locate(
        self, snapshot: CampaignSnapshot, recipient_id: str
    ) -> tuple[int, int] | None:
        """Return the batch and index of a recipient, or None if there is no such id."""
        digest = id_digest(self._vault, snapshot.serial, recipient_id)
        bucket = bucket_of(digest, snapshot.lookup_buckets)
        position = await self._redis.hget(lookup_key(snapshot.serial, bucket), digest)
        if position is None:
            return None
        number, index = divmod(int(position), snapshot.batch_size)
        return number + 1, index

    async def steer(self, serial: str, verb: Literal["pause", "resume", "cancel"]) -> bool:
        """Return False if the campaign has ended; pause and resume may be repeated."""
        if verb == "cancel":
            return bool(await self._run("cancel", serial))
        return bool(await self._run("pause", serial, verb))

    async def halted(self, serials: Collection[str]) -> set[str]:
        """Return those of *serials* for which nothing may be started: paused or cancelled."""
        wanted = list(serials)
        async with self._redis.pipeline(transaction=False) as pipe:
            for serial in wanted:
                pipe.hmget(campaign_key(serial), ["pau", "can"])
            found = await pipe.execute() if wanted else []
        return {serial for serial, flags in zip(wanted, found, strict=True) if any(flags)}

    async def block(
        self,
        serial: str,
        lane: Lane,
        reason: str,
        words: str,
        *,
        probe_after: float,
    ) -> None:
        """Stop a lane; one batch probes after *probe_after* seconds (0: only a person helps)."""
        await self._run(
            "block", serial, LANE_LETTER[lane], reason, words, round(probe_after * 1000)
        )

    async def unblock(self, serial: str, lane: Lane) -> bool:
        return bool(await self._run("unblock", serial, LANE_LETTER[lane]))

    async def totals(self, serial: str) -> CampaignTotals:
        """Return the counters, and how many batches are due some time, of one moment."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(campaign_key(serial))
            pipe.zscore(ACTIVE, serial)
            for lane in Lane:
                pipe.zcard(due_key(serial, lane))
            fields, active, *due = await pipe.execute()
        snapshot = CampaignSnapshot(serial, texts(fields))
        return CampaignTotals(snapshot, due=sum(due), active=active is not None)

    def _sealed(self, serial: str, campaign: Campaign) -> bytes:
        return self._vault.seal(campaign.model_dump_json().encode(), definition_purpose(serial))

    async def snapshots(self, serials: Sequence[str]) -> list[CampaignSnapshot]:
        """Return where each of some campaigns stands, a hundred in a round trip."""
        found: list[CampaignSnapshot] = []
        for first in range(0, len(serials), _AT_ONCE):
            found += await self._snapshots(serials[first : first + _AT_ONCE])
        return found

    async def pending(self, campaign_id: str) -> PendingSubmit | None:
        """Return the submit of a campaign that is not committed; None if there is none."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(STAGING, campaign_id)
            pipe.time()
            entry, (seconds, micros) = await pipe.execute()
        if entry is None:
            return None
        lapses_ms = int(entry.split()[-1])  # see stage_begin.lua
        return PendingSubmit(lapses_ms, seconds * 1000 + micros // 1000)

    async def has_recipients(self, serial: str, batch: int) -> bool:
        """Return whether the people of a batch are kept still: purged data is not."""
        return bool(await self._redis.exists(recipients_key(serial, batch)))

    async def _snapshots(self, serials: Sequence[str]) -> list[CampaignSnapshot]:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.time()
            for serial in serials:
                pipe.hgetall(campaign_key(serial))
            (seconds, micros), *found = await pipe.execute()
        now_ms = seconds * 1000 + micros // 1000
        return [
            CampaignSnapshot(serial, texts(fields), now_ms)
            for serial, fields in zip(serials, found, strict=True)
        ]

    async def _remove_keys(self, serial: str) -> None:
        async for key in self._redis.scan_iter(match=campaign_keys(serial), count=1000):
            await self._redis.unlink(key)
        await self._redis.srem(DISCARDED, serial)


def plan_of(campaign: Campaign, batch: Sequence[Recipient]) -> str:
    """Return which channels each recipient can be reached by, one character each."""
    channels = campaign.delivery.channels
    return "".join(chr(ord("0") + channel_mask(recipient, channels)) for recipient in batch)
