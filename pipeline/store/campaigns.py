"""Committed campaigns in Redis: found, read and steered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.domain.batch import Lane
from pipeline.domain.campaign import Campaign
from pipeline.domain.models import Recipient
from pipeline.domain.resend_history import ResendHistory, at_current_addresses
from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.codec import LANE_LETTER
from pipeline.store.formats.resends import open_resends
from pipeline.store.formats.sealed_batch import open_recipients
from pipeline.store.formats.sealed_definition import open_definition, seal_definition
from pipeline.store.formats.snapshot import CampaignSnapshot, halt_fields
from pipeline.store.keys import (
    ACTIVE,
    IDS,
    campaign_key,
    definition_key,
    due_key,
    earlier_definition_key,
    lookup_key,
    recipients_key,
    resends_key,
)
from pipeline.store.lookups import bucket_of, id_digest
from pipeline.store.scripts import Scripts, decode_hash, server_ms

EditOutcome = Literal["ok", "other", "running", "ended"]
"""What became of an edit; `edit.lua` says when."""

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """A campaign's counters and what its indexes hold, of the same moment."""

    snapshot: CampaignSnapshot
    due: int
    active: bool


class CampaignStore:
    """Campaigns by their serials: found by id, read with their people, steered, edited."""

    def __init__(self, redis: Client, scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._call = scripts.call
        self._vault = vault

    async def find(self, campaign_id: str) -> str | None:
        """Return the serial of a committed campaign; None if there is none of this id."""
        serial = await self._redis.hget(IDS, campaign_id)
        return None if serial is None else serial.decode()

    async def ids(self) -> dict[str, str]:
        """Return every committed campaign's id and serial, oldest first."""
        found = decode_hash(await self._redis.hgetall(IDS))
        return dict(sorted(found.items(), key=lambda item: int(item[1])))

    async def snapshot(self, serial: str) -> CampaignSnapshot:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(campaign_key(serial))
            pipe.time()
            fields, time = await pipe.execute()
        return CampaignSnapshot(serial, decode_hash(fields), server_ms(time))

    async def definition(self, serial: str) -> Campaign:
        return open_definition(self._vault, serial, await self.sealed_definition(serial))

    async def sealed_definition(self, serial: str) -> bytes | None:
        """Return the definition still sealed, to check whether it can be opened."""
        return await self._redis.get(definition_key(serial))

    async def earlier_definition(self, serial: str, version: int) -> Campaign | None:
        """Return the definition that an edit replaced; None if it is not kept."""
        sealed = await self._redis.get(earlier_definition_key(serial, version))
        return None if sealed is None else open_definition(self._vault, serial, sealed)

    async def edit(
        self, serial: str, campaign: Campaign, *, made_from: int, nonce: str
    ) -> tuple[EditOutcome, int]:
        """
        Make *campaign* the next version of a paused campaign, if it still is at *made_from*.

        Returns what became of it and the version there is now. May be repeated with its nonce.
        """
        sealed = seal_definition(self._vault, serial, campaign)
        outcome, version = await self._call("edit", serial, made_from, nonce, sealed)
        return outcome.decode(), int(version)

    async def recipients(self, serial: str, batch: int) -> list[Recipient]:
        sealed = await self._redis.get(recipients_key(serial, batch))
        return open_recipients(self._vault, serial, batch, sealed)

    async def people(self, serial: str, batch: int) -> list[tuple[Recipient, ResendHistory]]:
        """Return the recipients of a batch as they were submitted, each with its resends."""
        recipients = await self.recipients(serial, batch)
        fields = await self._redis.hgetall(resends_key(serial, batch))
        sealed = {int(index): blob for index, blob in fields.items()}
        found = open_resends(self._vault, serial, recipients, sealed)
        return [(person, found.get(index, ())) for index, person in enumerate(recipients)]

    async def current_recipients(self, serial: str, batch: int) -> list[Recipient]:
        """Return the recipients of a batch with the addresses that messages go to by now."""
        return [at_current_addresses(*person) for person in await self.people(serial, batch)]

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
            return bool(await self._call("cancel", serial))
        return bool(await self._call("pause", serial, verb))

    async def halted(self, serials: Collection[str]) -> set[str]:
        """Return those of *serials* for which nothing may be started: paused or cancelled."""
        wanted, names = list(serials), halt_fields()
        if not wanted:
            return set()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for serial in wanted:
                pipe.hmget(campaign_key(serial), names)
            time, *found = await pipe.execute()
        campaigns = (
            CampaignSnapshot.of_some(serial, names, reply, server_ms(time))
            for serial, reply in zip(wanted, found, strict=True)
        )
        return {campaign.serial for campaign in campaigns if campaign.halted}

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
        await self._call(
            "block", serial, LANE_LETTER[lane], reason, words, round(probe_after * 1000)
        )

    async def unblock(self, serial: str, lane: Lane) -> bool:
        return bool(await self._call("unblock", serial, LANE_LETTER[lane]))

    async def totals(self, serial: str) -> CampaignTotals:
        """Return the counters and the length of all due indexes, of one moment."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(campaign_key(serial))
            pipe.zscore(ACTIVE, serial)
            for lane in Lane:
                pipe.zcard(due_key(serial, lane))
            pipe.time()
            fields, active, *due, time = await pipe.execute()
        snapshot = CampaignSnapshot(serial, decode_hash(fields), server_ms(time))
        return CampaignTotals(snapshot, due=sum(due), active=active is not None)

    async def snapshots(self, serials: Sequence[str]) -> list[CampaignSnapshot]:
        """Return where each of some campaigns stands, a hundred in a round trip."""
        return await read_snapshots(self._redis, serials)

    async def has_recipients(self, serial: str, batch: int) -> bool:
        """Return whether the people of a batch are still stored; a purge removes them."""
        return bool(await self._redis.exists(recipients_key(serial, batch)))


async def read_snapshots(redis: Client, serials: Sequence[str]) -> list[CampaignSnapshot]:
    """Return where each of some campaigns stands, a hundred in a round trip."""
    found: list[CampaignSnapshot] = []
    for first in range(0, len(serials), _AT_ONCE):
        found += await _read_some(redis, serials[first : first + _AT_ONCE])
    return found


async def _read_some(redis: Client, serials: Sequence[str]) -> list[CampaignSnapshot]:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.time()
        for serial in serials:
            pipe.hgetall(campaign_key(serial))
        time, *found = await pipe.execute()
    return [
        CampaignSnapshot(serial, decode_hash(fields), server_ms(time))
        for serial, fields in zip(serials, found, strict=True)
    ]
