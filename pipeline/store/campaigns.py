"""Campaigns in Redis: staged row by row, committed at once, then steered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from redis.asyncio import Redis

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.domain.models import BatchState, DeliveryStatus, Recipient
from pipeline.domain.resend_history import Generations, readdressed
from pipeline.domain.vault import Vault
from pipeline.store.recipient_codec import channel_mask, decode_batch, encode_batch
from pipeline.store.records import LETTER
from pipeline.store.resends import open_generations
from pipeline.store.scripts import Scripts, texts

Edited = Literal["ok", "other", "running", "ended"]
"""What became of an edit; `store/lua/edit.lua` says when."""

_PATIENCE_MS = 10_000  # a submit that says nothing for this long is taken for dead
_ROWS_PER_BUCKET = 64  # a listpack up to 512 fields; more would only be slower


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
class Snapshot:
    """A campaign's flags and counters as they stood at one moment."""

    serial: str
    fields: Mapping[str, str]
    now_ms: int

    def number(self, name: str) -> int:
        return int(self.fields.get(name, 0))

    def text(self, name: str) -> str | None:
        return self.fields.get(name)

    @property
    def campaign_id(self) -> str:
        return self.fields["id"]

    @property
    def batch_count(self) -> int:
        return self.number("nb")

    @property
    def batch_size(self) -> int:
        return self.number("bs")

    def deliveries(self) -> dict[str, int]:
        return {status.value: self.number(f"d:{status}") for status in DeliveryStatus}

    def batches(self) -> dict[str, int]:
        return {state.value: self.number(f"b:{state}") for state in BatchState}

    def people(self) -> dict[str, int]:
        return {name: self.number(f"p:{name}") for name in ("reached", "not_reached", "open")}

    def links(self) -> dict[str, int]:
        names = ("ordered", "received", "awaited", "missing", "assigned", "spare")
        return {name: self.number(f"l:{name}") for name in names}

    def held_reasons(self) -> dict[str, int]:
        held = {name[2:]: int(value) for name, value in self.fields.items() if name[:2] == "h:"}
        return {reason: number for reason, number in held.items() if number > 0}


class CampaignStore:
    def __init__(self, redis: "Redis", scripts: Scripts, vault: Vault) -> None:
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
        digests = b"".join(self.id_digest(staging.serial, recipient.id) for recipient in batch)
        sealed = self._vault.seal(encode_batch(batch), f"rows:{staging.serial}:{number}")
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
            "channels": "".join(LETTER[channel] for channel in channels),
            "mode": campaign.delivery.mode,
            "resend": "".join(
                LETTER[channel] for channel in channels if campaign.resends(channel)
            ),
            "d:pending": totals.deliveries,
            "p:open": totals.recipients,
            "b:planned": totals.batches,
        }
        flat_fields = [part for pair in fields.items() for part in pair]
        kind, serial = await self._run(
            "commit",
            staging.campaign_id,
            staging.serial,
            staging.nonce,
            self._vault.seal(campaign.model_dump_json().encode(), f"definition:{staging.serial}"),
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
        for campaign_id, entry in texts(await self._redis.hgetall("cc:staging")).items():  # type: ignore[misc]
            await self._run("stage_drop", campaign_id, entry.split()[0], "")
        discarded = await self._redis.smembers("cc:discarded")  # type: ignore[misc]
        for serial in discarded:
            await self._remove_keys(serial.decode())
        return len(discarded)

    async def find(self, campaign_id: str) -> str | None:
        serial = await self._redis.hget("cc:ids", campaign_id)  # type: ignore[misc]
        return serial.decode() if isinstance(serial, bytes) else serial

    async def ids(self) -> dict[str, str]:
        """Return every committed campaign's id and serial, oldest first."""
        found = texts(await self._redis.hgetall("cc:ids"))  # type: ignore[misc]
        return dict(sorted(found.items(), key=lambda item: int(item[1])))

    async def snapshot(self, serial: str) -> Snapshot:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(f"cc:{serial}")
            pipe.time()
            fields, (seconds, micros) = await pipe.execute()
        return Snapshot(serial, texts(fields), seconds * 1000 + micros // 1000)

    async def definition(self, serial: str) -> Campaign:
        sealed = await self._redis.get(f"cc:{serial}:def")
        return Campaign.model_validate_json(
            self._vault.open(sealed or b"", f"definition:{serial}")
        )

    async def earlier(self, serial: str, version: int) -> Campaign | None:
        """Return the definition that an edit replaced; None if it is not kept."""
        sealed = await self._redis.get(f"cc:{serial}:def:{version}")
        if sealed is None:
            return None
        return Campaign.model_validate_json(self._vault.open(sealed, f"definition:{serial}"))

    async def edit(
        self, serial: str, campaign: Campaign, *, made_from: int, nonce: str
    ) -> tuple[Edited, int]:
        """
        Make *campaign* the next version of a paused campaign, if it still is at *made_from*.

        Returns what became of it and the version there is now. May be repeated with its nonce.
        """
        sealed = self._vault.seal(campaign.model_dump_json().encode(), f"definition:{serial}")
        outcome, version = await self._run("edit", serial, made_from, nonce, sealed)
        return outcome.decode(), int(version)

    async def recipients(self, serial: str, batch: int) -> list[Recipient]:
        sealed = await self._redis.get(f"cc:{serial}:r:{batch}")
        # Nothing at all opens as little as what is damaged.
        return decode_batch(self._vault.open(sealed or b"", f"rows:{serial}:{batch}"))

    async def people(self, serial: str, batch: int) -> list[tuple[Recipient, Generations]]:
        """Return the recipients of a batch as they were submitted, each with its resends."""
        recipients = await self.recipients(serial, batch)
        fields = await self._redis.hgetall(f"cc:{serial}:a:{batch}")  # type: ignore[misc]
        sealed = {int(index): blob for index, blob in fields.items()}
        found = open_generations(self._vault, serial, recipients, sealed)
        return [(person, found.get(index, ())) for index, person in enumerate(recipients)]

    async def readdressed(self, serial: str, batch: int) -> list[Recipient]:
        """Return the recipients of a batch with the addresses that messages go to by now."""
        return [readdressed(*person) for person in await self.people(serial, batch)]

    async def locate(self, snapshot: Snapshot, recipient_id: str) -> tuple[int, int] | None:
        """Return the batch and index of a recipient, or None if there is no such id."""
        digest = self.id_digest(snapshot.serial, recipient_id)
        bucket = bucket_of(digest, snapshot.number("xb"))
        position = await self._redis.hget(f"cc:{snapshot.serial}:x:{bucket}", digest)  # type: ignore[misc, arg-type]
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
                pipe.hmget(f"cc:{serial}", ["pau", "can"])
            found = await pipe.execute() if wanted else []
        return {serial for serial, flags in zip(wanted, found, strict=True) if any(flags)}

    async def block(
        self,
        serial: str,
        lane: Literal["o", "r", "s"],
        reason: str,
        words: str,
        *,
        probe_after: float,
    ) -> None:
        """Stop a lane; one batch probes after *probe_after* seconds (0: only a person helps)."""
        await self._run("block", serial, lane, reason, words, round(probe_after * 1000))

    async def unblock(self, serial: str, lane: Literal["o", "r", "s"]) -> bool:
        return bool(await self._run("unblock", serial, lane))

    def id_digest(self, serial: str, recipient_id: str) -> bytes:
        return self._vault.digest("recipient", f"{serial}\n{recipient_id}".encode(), 9)

    async def _remove_keys(self, serial: str) -> None:
        async for key in self._redis.scan_iter(match=f"cc:{serial}:*", count=1000):
            await self._redis.unlink(key)
        await self._redis.srem("cc:discarded", serial)  # type: ignore[misc]


def plan_of(campaign: Campaign, batch: Sequence[Recipient]) -> str:
    """Return which channels each recipient can be reached by, one character each."""
    channels = campaign.delivery.channels
    return "".join(chr(ord("0") + channel_mask(recipient, channels)) for recipient in batch)


def bucket_of(digest: bytes, buckets: int) -> int:
    """Return where an id's digest is kept; `store/lua/stage_batch.lua` computes the same."""
    return int.from_bytes(digest[:4]) % buckets
