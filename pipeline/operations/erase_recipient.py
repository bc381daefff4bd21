"""Removing one person from a campaign, on request, at any time."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from pipeline.domain.batch import Batch
from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.domain.vault import Vault
from pipeline.store.batch_pages import StoredBatch, read_place
from pipeline.store.campaigns import CampaignStore, Snapshot
from pipeline.store.recipient_codec import TOMBSTONE, decode_batch, encode_batch
from pipeline.store.scripts import Scripts

_TRIES = 50  # each time somebody else's change of the same batch went through


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """
    When somebody was forgotten, in ms since the epoch, and whether that was done before.

    `on_its_way` says that a message had been started whose result is not known yet.
    """

    at_ms: int
    before: bool
    on_its_way: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blobs:
    """The two blobs of a batch as they were read, and as they are without one person."""

    rows: bytes = field(repr=False)
    other_rows: bytes = field(repr=False)
    links: bytes = field(repr=False)
    other_links: bytes = field(repr=False)


class Forgetting:
    """Finds people and removes them; everything here may be repeated."""

    def __init__(
        self, redis: "Redis", campaigns: CampaignStore, vault: Vault, scripts: Scripts
    ) -> None:
        self._redis = redis
        self._campaigns = campaigns
        self._vault = vault
        self._run = scripts.run

    async def look(self, snapshot: Snapshot, recipient_id: str) -> int:
        """
        Return when the person was forgotten, in ms since the epoch; 0 if that was not done yet.

        Raises InputError if the campaign has, or keeps, no such person. Changes nothing.
        """
        if snapshot.text("purging"):
            raise InputError(_purged(snapshot.campaign_id))
        stored, index = await self._place(snapshot, recipient_id)
        return Batch.parse(stored.fields).forgotten.get(index, 0)

    async def forget(self, snapshot: Snapshot, recipient_id: str) -> Forgotten:
        """
        Remove name, addresses, variables and link of a person; nothing is sent to them any more.

        Digests, counters, the ledger's record and what was paid stay. Durable when it returns.
        Raises InputError as `look` does.
        """
        for _ in range(_TRIES):
            stored, index = await self._place(snapshot, recipient_id)
            blobs = self._without(snapshot.serial, stored, index)
            outcome, *rest = await self._run(
                "forget",
                *(snapshot.serial, stored.number, index),
                *(blobs.rows, blobs.other_rows, blobs.links, blobs.other_links),
            )
            if outcome == b"purged":
                raise InputError(_purged(snapshot.campaign_id))
            if outcome != b"changed":
                return Forgotten(
                    at_ms=int(rest[0]), before=outcome == b"before", on_its_way=rest[1] == 1
                )
        msg = "The person's batch was changed by others all the time; run this again."
        raise ClaimcastError(msg)

    async def _place(self, snapshot: Snapshot, recipient_id: str) -> tuple[StoredBatch, int]:
        place = await self._campaigns.locate(snapshot, recipient_id)
        if place is None:
            msg = (
                f'Campaign "{snapshot.campaign_id}" has no recipient "{recipient_id}"; ids are'
                " taken exactly as they stand in the list."
            )
            raise InputError(msg)
        page, index = await read_place(self._redis, snapshot.serial, *place)
        return page.batches[0], index

    def _without(self, serial: str, stored: StoredBatch, index: int) -> _Blobs:
        places = {kind: f"{kind}:{serial}:{stored.number}" for kind in ("rows", "links")}
        opened, seal = self._vault.open, self._vault.seal
        if stored.rows is None:  # purged meanwhile, which the verb will say
            return _Blobs(rows=b"", other_rows=b"", links=b"", other_links=b"")
        people = decode_batch(opened(stored.rows, places["rows"]))
        people[index] = TOMBSTONE
        links = b""
        if stored.links is not None:
            parts = opened(stored.links, places["links"]).split(b"\n")
            parts[index] = b""
            links = seal(b"\n".join(parts), places["links"])
        return _Blobs(
            rows=stored.rows,
            other_rows=seal(encode_batch(people), places["rows"]),
            links=stored.links or b"",
            other_links=links,
        )


def _purged(campaign_id: str) -> str:
    return f'Campaign "{campaign_id}" was purged: nothing is left of any of its people.'
