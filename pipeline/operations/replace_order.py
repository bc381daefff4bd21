"""Ending a batch whose order is dead: who keeps a link of it, and who is ordered for once more."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from pipeline.domain.batch import Batch
from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.domain.models import BatchState, Recipient
from pipeline.domain.vault import Vault
from pipeline.rewards.links import LinksProblem, extract_links
from pipeline.store.batch_pages import StoredBatch, read_page
from pipeline.store.campaigns import CampaignStore, Snapshot, bucket_of
from pipeline.store.recipient_codec import decode_batch
from pipeline.store.reorders import Division, ReorderStore

_WORDS = {
    BatchState.PLANNED: "it has no order yet",
    BatchState.ORDERED: "its order is still being read",
    BatchState.FULFILLED: "its people have their links",
    BatchState.DONE: "its people have their links",
    BatchState.CANCELLED: "it was cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What ending the order of a held batch would do; nothing is done yet.

    *links* came of the order and stay with the first people of *people*; the others move to the
    batch *new*.
    """

    snapshot: Snapshot
    number: int
    new: int
    batch: Batch
    sealed: bytes = field(repr=False)
    people: Sequence[Recipient] = field(repr=False)
    links: Sequence[str] = field(repr=False)

    @property
    def kept(self) -> Sequence[Recipient]:
        return self.people[: len(self.links)]

    @property
    def moved(self) -> Sequence[Recipient]:
        return self.people[len(self.links) :]


class Reorders:
    """Looks at held batches and ends them; *links_path* is where the links of an order are."""

    def __init__(
        self,
        redis: "Redis",
        campaigns: CampaignStore,
        store: ReorderStore,
        vault: Vault,
        links_path: str | None,
    ) -> None:
        self._redis = redis
        self._campaigns = campaigns
        self._store = store
        self._vault = vault
        self._links_path = links_path

    async def look(self, snapshot: Snapshot, number: int) -> Plan | Batch:
        """
        Return what would be done with a batch, or the batch if its order was ended before.

        Raises InputError if its order cannot be ended. Changes nothing.
        """
        _refuse_unknown(snapshot, number)
        page = await read_page(self._redis, snapshot.serial, [number])
        stored = page.batches[0]
        batch = Batch.parse(stored.fields)
        if batch.into:
            return batch
        _refuse(snapshot.campaign_id, number, batch)
        serial, sealed = snapshot.serial, stored.rows or b""
        return Plan(
            snapshot=snapshot,
            number=number,
            new=int(page.campaign["nb"]) + 1,
            batch=batch,
            sealed=sealed,
            people=decode_batch(self._vault.open(sealed, f"rows:{serial}:{number}")),
            links=await self._links(snapshot, stored, batch),
        )

    async def carry_out(self, plan: Plan) -> int:
        """
        End the order for good and return the number of the batch that its people moved to.

        May be repeated. Raises InputError if the batch is not what it was when it was looked at.
        """
        snapshot = plan.snapshot
        outcome, new = await self._store.divide(
            Division(
                serial=snapshot.serial,
                number=plan.number,
                new=plan.new,
                reason=plan.batch.reason or "",
                held_ms=plan.batch.held_ms,
                sealed=plan.sealed,
                kept=plan.kept,
                moved=plan.moved,
                links=plan.links,
                forgotten=plan.batch.forgotten.keys(),
                lookups=await self._lookups(plan),
            )
        )
        if outcome == "leased":
            msg = f"A worker is reading the order of batch {plan.number}; run this again soon."
            raise InputError(msg)
        if outcome == "changed":
            msg = f"Batch {plan.number} has changed meanwhile, nothing was done; run this again."
            raise InputError(msg)
        return new

    async def _links(self, snapshot: Snapshot, stored: StoredBatch, batch: Batch) -> Sequence[str]:
        """Return the links that may stay: those of an order that is merely short, all of them."""
        if batch.reason != "links_short" or batch.order_id is None:
            return ()
        if stored.evidence is None:
            # As after a `forget`: links that were paid for must not be given up unseen.
            msg = (
                f"The answer that showed the links of batch {stored.number} is not kept any more: "
                f"`claimcast retry {snapshot.campaign_id} --held` reads the order again; once the "
                "batch is held again, run this again."
            )
            raise InputError(msg)
        evidence = self._vault.open(stored.evidence, f"raw:{snapshot.serial}:{stored.number}")
        links = links_that_came(evidence, batch.size, path=self._links_path)
        if len(links) == batch.size:
            msg = (
                f"The order of batch {stored.number} holds all its links: "
                f"`claimcast retry {snapshot.campaign_id} --held` goes on with it."
            )
            raise InputError(msg)
        seen = await self._store.seen(snapshot.serial, stored.number, links)
        return () if seen else links

    async def _lookups(self, plan: Plan) -> list[tuple[int, bytes]]:
        """Return where those who move are looked up; of the forgotten only the digest is left."""
        serial, buckets = plan.snapshot.serial, plan.snapshot.number("xb")
        first = (plan.number - 1) * plan.snapshot.batch_size + len(plan.kept)
        nameless = [first + i for i, person in enumerate(plan.moved) if not person.id]
        found = await self._store.lookups_of(serial, buckets, nameless)
        return [
            self._lookup(plan.snapshot, person) if person.id else found.get(place, (0, b""))
            for place, person in enumerate(plan.moved, start=first)
        ]

    def _lookup(self, snapshot: Snapshot, recipient: Recipient) -> tuple[int, bytes]:
        digest = self._campaigns.id_digest(snapshot.serial, recipient.id)
        return bucket_of(digest, snapshot.number("xb")), digest


def links_that_came(evidence: bytes, ordered: int, *, path: str | None) -> Sequence[str]:
    """
    Return the links in the kept answer of a short order; none if there is any doubt about them.

    All of the *ordered* number come back if the answer holds them after all, as it may where the
    path to the links was corrected since.
    """
    document, found = json.loads(evidence), ordered
    for _ in range(2):
        try:
            return extract_links(document, found, path=path)
        except LinksProblem as problem:
            if problem.code != "links_short":
                return ()
            found = problem.found
    return ()


def _refuse_unknown(snapshot: Snapshot, number: int) -> None:
    if snapshot.text("can"):
        msg = f'Campaign "{snapshot.campaign_id}" was cancelled, and that is final.'
        raise InputError(msg)
    if not 1 <= number <= snapshot.batch_count:
        msg = (
            f'Campaign "{snapshot.campaign_id}" has batches 1 to {snapshot.batch_count}; '
            "`claimcast status` names those that are held."
        )
        raise InputError(msg)


def _refuse(campaign: str, number: int, batch: Batch) -> None:
    """Raise InputError unless the order of this batch can be ended."""
    if batch.state is not BatchState.HELD:
        msg = f"Batch {number} is not held ({_WORDS[batch.state]}), so there is nothing to end."
        raise InputError(msg)
    if batch.reason == "uncertain" or batch.fulfilled_ms:
        msg = (
            f"The people of batch {number} have their links, and keep them: "
            f"`claimcast retry {campaign} --uncertain` sends the same links to them again."
        )
        raise InputError(msg)
    if batch.reason is None:
        msg = f"Batch {number} is damaged; `claimcast verify {campaign}` says what is wrong."
        raise ClaimcastError(msg)
