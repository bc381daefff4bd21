"""Ends a batch whose order is dead: some people keep its links, the others move to a new batch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.domain.batch import Batch
from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.domain.models import BatchState, Recipient
from pipeline.domain.vault import Vault
from pipeline.rewards.links import LinksProblem, extract_links
from pipeline.store.batch_pages import BatchPages, StoredBatch
from pipeline.store.formats.sealed_batch import open_evidence, open_recipients
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.lookups import LinkOwner, LookupPlace, Lookups
from pipeline.store.maintenance.reorders import BatchSplit, ReorderStore

_WORDS = {
    BatchState.PLANNED: "it has no order yet",
    BatchState.ORDERED: "its order is still being read",
    BatchState.FULFILLED: "its people have their links",
    BatchState.DONE: "its people have their links",
    BatchState.CANCELLED: "it was cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementPlan:
    """
    What ending the order of a held batch would do; nothing is done yet.

    *links* came of the order and stay with the first people of *people*; the others move to the
    batch *new*.
    """

    snapshot: CampaignSnapshot
    number: int
    new: int
    batch: Batch
    sealed: bytes = field(repr=False)
    people: Sequence[Recipient] = field(repr=False)
    links: Sequence[str] = field(repr=False)

    @property
    def kept(self) -> Sequence[Recipient]:
        """Return the people who keep a link of the order."""
        return self.people[: len(self.links)]

    @property
    def moved(self) -> Sequence[Recipient]:
        """Return the people who move to the new batch."""
        return self.people[len(self.links) :]


class OrderReplacement:
    """Plans the end of a held batch and executes it; *links_path* as in the settings."""

    def __init__(
        self,
        pages: BatchPages,
        lookups: Lookups,
        store: ReorderStore,
        vault: Vault,
        links_path: str | None,
    ) -> None:
        self._pages = pages
        self._lookups = lookups
        self._store = store
        self._vault = vault
        self._links_path = links_path

    async def plan(self, snapshot: CampaignSnapshot, number: int) -> ReplacementPlan | Batch:
        """
        Return what `execute` would do with a batch, or the batch if its order was ended before.

        Raises InputError if its order cannot be ended. Changes nothing.
        """
        _refuse_unknown(snapshot, number)
        page = await self._pages.page(snapshot.serial, [number])
        stored = page.batches[0]
        batch = stored.decode()
        if batch.replacement.into:
            return batch
        _refuse(snapshot.campaign_id, number, batch)
        return ReplacementPlan(
            snapshot=snapshot,
            number=number,
            new=page.campaign.batch_count + 1,
            batch=batch,
            sealed=stored.rows or b"",
            people=open_recipients(self._vault, snapshot.serial, number, stored.rows),
            links=await self._links(snapshot, stored, batch),
        )

    async def execute(self, plan: ReplacementPlan) -> int:
        """
        End the order for good and return the number of the batch that its people moved to.

        May be repeated. Raises InputError if the batch has changed since it was planned.
        """
        snapshot = plan.snapshot
        outcome, new = await self._store.split(
            BatchSplit(
                serial=snapshot.serial,
                number=plan.number,
                new=plan.new,
                reason=plan.batch.hold.reason or "",
                held_ms=plan.batch.hold.since_ms,
                sealed=plan.sealed,
                kept=plan.kept,
                moved=plan.moved,
                links=plan.links,
                erased=plan.batch.erased.keys(),
                lookups=await self._lookup_places(plan),
            )
        )
        if outcome == "leased":
            msg = f"A worker is reading the order of batch {plan.number}; run this again soon."
            raise InputError(msg)
        if outcome == "changed":
            msg = f"Batch {plan.number} has changed meanwhile, nothing was done; run this again."
            raise InputError(msg)
        return new

    async def _links(
        self, snapshot: CampaignSnapshot, stored: StoredBatch, batch: Batch
    ) -> Sequence[str]:
        """Return the links that stay: all of an order that is merely short, else none."""
        if batch.hold.reason != "links_short" or batch.order.id is None:
            return ()
        if stored.evidence is None:
            # As after a `forget`: links that were paid for must not be given up unseen.
            msg = (
                f"The answer that showed the links of batch {stored.number} is not kept any more: "
                f"`claimcast retry {snapshot.campaign_id} --held` reads the order again; once the "
                "batch is held again, run this again."
            )
            raise InputError(msg)
        evidence = open_evidence(self._vault, snapshot.serial, stored.number, stored.evidence)
        links = links_that_came(evidence, batch.size, path=self._links_path)
        if len(links) == batch.size:
            msg = (
                f"The order of batch {stored.number} holds all its links: "
                f"`claimcast retry {snapshot.campaign_id} --held` goes on with it."
            )
            raise InputError(msg)
        owner = LinkOwner(snapshot.serial, str(stored.number))
        seen = set(await self._lookups.owners(links)) - {None, owner}
        return () if seen else links

    async def _lookup_places(self, plan: ReplacementPlan) -> list[LookupPlace]:
        """Return the lookup places of moved recipients; an erased one has only its digest left."""
        snapshot = plan.snapshot
        first = (plan.number - 1) * snapshot.batch_size + len(plan.kept)
        nameless = [first + i for i, person in enumerate(plan.moved) if not person.id]
        found = await self._lookups.places(snapshot.serial, snapshot.lookup_buckets, nameless)
        return [
            self._lookups.place_of(snapshot.serial, snapshot.lookup_buckets, person.id)
            if person.id
            else found.get(place, (0, b""))
            for place, person in enumerate(plan.moved, start=first)
        ]


def links_that_came(evidence: bytes, ordered: int, *, path: str | None) -> Sequence[str]:
    """
    Return the links in the stored answer of a short order; none if any of them is doubtful.

    All *ordered* links are returned if the answer holds them after all, as it may after the path
    to the links was corrected.
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


def _refuse_unknown(snapshot: CampaignSnapshot, number: int) -> None:
    if snapshot.cancelled:
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
    if batch.hold.reason == "uncertain" or batch.fulfilled_ms:
        msg = (
            f"The people of batch {number} have their links, and keep them: "
            f"`claimcast retry {campaign} --uncertain` sends the same links to them again."
        )
        raise InputError(msg)
    if batch.hold.reason is None:
        msg = f"Batch {number} is damaged; `claimcast verify {campaign}` says what is wrong."
        raise ClaimcastError(msg)
