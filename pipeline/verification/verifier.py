"""
Recounts the invariants (docs/internals/invariants.md) by decrypting every batch.

Each page of batches is read at one moment, so a running campaign gives no false alarm. Totals are
compared only with counters that did not change while the batches were counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from pipeline.domain.campaign import Campaign
from pipeline.domain.vault import Vault
from pipeline.rewards.models import OrderRequest
from pipeline.stages.order_request import po_number
from pipeline.store.batch_pages import BatchPages, Page, StoredBatch
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.snapshot import (
    ERASED_UNCERTAIN,
    CampaignSnapshot,
    batch_counter,
    delivery_counter,
    links_counter,
)
from pipeline.store.lookups import Lookups
from pipeline.verification.batch_invariants import (
    OPEN,
    UNFINISHED,
    Violation,
    batch_violations,
    link_violations,
    tally,
)
from pipeline.verification.lookup_indexes import LookupIndexes
from pipeline.verification.replacement_chain import ReplacementChain
from pipeline.verification.sealed_contents import SealedContents, SealedContentsReader
from pipeline.views.batch_view import BatchView, CampaignTerms

_SHOWN = 1000
_COUNTS = 4  # a campaign whose counters change during every count is not compared
_OPEN_DELIVERIES = tuple(map(delivery_counter, OPEN))


class RemoteCheck(Protocol):
    """Compares the order of a batch with the rewards API."""

    async def violations(
        self, entry: BatchView, request: OrderRequest, links: Sequence[str]
    ) -> list[Violation]:
        """Read the order of a batch again and return what differs; may be called again."""
        ...


@dataclass(slots=True)
class VerificationFindings:
    """
    What a recount found; the first thousand violations are kept, all are counted.

    `value` is the face value of all links ordered. `compared` is false if the counters changed
    during every count. `unfinished` says that the campaign had not ended. `purged_ms` is when its
    people and links were removed (0: they were not).
    """

    violations: list[Violation] = field(default_factory=list)
    count: int = 0
    batches: int = 0
    recipients: int = 0
    links: int = 0
    orders_read: int = 0
    value: Decimal = Decimal(0)
    compared: bool = False
    unfinished: bool = False
    purged_ms: int = 0

    def add(self, violation: Violation) -> None:
        """Count a violation, and keep it if it is among the first thousand."""
        self.count += 1
        if len(self.violations) < _SHOWN:
            self.violations.append(violation)


@dataclass(frozen=True, slots=True)
class _Totals:
    counters: Mapping[str, int]
    due: int
    finished: bool
    cancelled: bool
    active: bool


class Verifier:
    """Recounts one campaign at a time; it only reads, and may be repeated at any time."""

    def __init__(
        self, pages: BatchPages, campaigns: CampaignStore, lookups: Lookups, vault: Vault
    ) -> None:
        self._pages = pages
        self._campaigns = campaigns
        self._contents = SealedContentsReader(campaigns, vault)
        self._lookup_indexes = LookupIndexes(lookups)

    async def run(self, serial: str, remote: RemoteCheck | None = None) -> VerificationFindings:
        """Check every invariant that stored data can show, and with *remote* every order."""
        findings = VerificationFindings()
        campaign, violation = await self._contents.definition(serial)
        if violation is not None:
            findings.add(violation)
        before = await self._totals(serial)
        recount = _Recount(findings, campaign)
        count = (await self._campaigns.snapshot(serial)).batch_count
        async for page in self._pages.pages(serial, count):
            opened = [
                (entry, self._contents.open(serial, stored))
                for stored, entry in recount.page(page)
            ]
            for entry, content in opened:
                _judge_contents(findings, entry, content)
                await _ask_remote(findings, remote, recount.request(entry), entry, content)
            for violation in await self._lookup_indexes.violations(page.campaign, opened):
                findings.add(violation)
        await self._whole(serial, recount, before, count)
        return findings

    async def _whole(self, serial: str, recount: "_Recount", before: _Totals, count: int) -> None:
        """Check the invariants that concern the campaign as a whole."""
        findings = recount.findings
        campaign = await self._campaigns.snapshot(serial)
        findings.unfinished = not campaign.ended
        findings.purged_ms = campaign.purged_ms
        for violation in [*recount.whole(campaign), *await self._lookup_indexes.strays(campaign)]:
            findings.add(violation)
        await self._compare(serial, recount, before, count)

    async def _compare(
        self, serial: str, recount: "_Recount", before: _Totals, count: int
    ) -> None:
        """
        Compare the counters with the recount, if the counters did not change meanwhile.

        A difference must show twice: two changes that cancel each other out leave all counters as
        they were.
        """
        counted, suspected = recount.counted, None
        for _ in range(_COUNTS):
            after = await self._totals(serial)
            if after == before:
                found = list(_differences(after, counted))
                recount.findings.compared = True
                if not found or found == suspected:
                    for violation in found:
                        recount.findings.add(violation)
                    return
                suspected = found
            recount.findings.compared = False
            before, counted = await self._totals(serial), await self._count(serial, count)

    async def _totals(self, serial: str) -> _Totals:
        found = await self._campaigns.totals(serial)
        campaign = found.snapshot
        return _Totals(
            campaign.counters(), found.due, campaign.ended, campaign.cancelled, found.active
        )

    async def _count(self, serial: str, count: int) -> Counter[str]:
        """Count from the ledger alone, which is much faster than decrypting every batch again."""
        recount = _Recount(VerificationFindings(), None)
        async for page in self._pages.pages(serial, count, sealed=False):
            recount.page(page)
        return recount.counted


class _Recount:
    """The totals of the pages read so far."""

    def __init__(self, findings: VerificationFindings, campaign: Campaign | None) -> None:
        self.findings = findings
        self.counted: Counter[str] = Counter()
        self._campaign = campaign
        self._orders: dict[str, int] = {}
        self._replacement_chain = ReplacementChain()

    def page(self, page: Page) -> list[tuple[StoredBatch, BatchView]]:
        """Count a page, check its batches, and return those that could be read."""
        terms = CampaignTerms.of(page.campaign)
        entries = []
        for stored in page.batches:
            entry = self._entry(stored, terms)
            if entry is not None:
                self._count_entry(entry)
                entries.append((stored, entry))
        return entries

    def request(self, entry: BatchView) -> OrderRequest | None:
        """Return the order that this batch must have placed; None if that is not known."""
        if self._campaign is None:
            return None
        return OrderRequest(
            po_number=po_number(self._campaign.id, entry.number),
            product_id=self._campaign.reward.product_id,
            value=self._campaign.reward.value,
            quantity=entry.batch.quantity,
        )

    def whole(self, campaign: CampaignSnapshot) -> Iterator[Violation]:
        """Yield what is wrong with the campaign as a whole; call after the last page."""
        recipients = campaign.recipients
        if self.findings.recipients != recipients:
            found = f"{self.findings.recipients} recipients in the batches, {recipients} taken in"
            yield Violation(5, "recipient_count", None, found)
        yield from self._replacement_chain.violations()
        if self._campaign is None:
            return
        reward = self._campaign.reward
        self.findings.value = self.counted[links_counter("ordered")] * reward.value
        # The cap does not count the links of dead orders: they were ordered again.
        living = self.findings.value - self._replacement_chain.given_up * reward.value
        if reward.max_total is not None and living > reward.max_total:
            found = f"ordered for {living}, allowed are {reward.max_total}"
            yield Violation(5, "value", None, found)

    def _entry(self, stored: StoredBatch, terms: CampaignTerms) -> BatchView | None:
        try:
            return BatchView.read(stored, terms)
        except (ValueError, KeyError):
            self.findings.add(Violation(5, "batch", stored.number, "it is gone or damaged"))
            return None

    def _count_entry(self, entry: BatchView) -> None:
        self.findings.batches += 1
        self.findings.recipients += entry.batch.size
        self.counted.update(tally(entry))
        self._replacement_chain.add(entry)
        for violation in (*batch_violations(entry), *self._order_violations(entry)):
            self.findings.add(violation)

    def _order_violations(self, entry: BatchView) -> Iterator[Violation]:
        batch, request = entry.batch, self.request(entry)
        if request is not None and batch.order.po_number is not None:
            if batch.order.po_number != request.po_number:
                found = f"its PO number is {batch.order.po_number}, not {request.po_number}"
                yield Violation(1, "po_number", entry.number, found)
            elif batch.order.payload_hash != request.payload_hash():
                found = "what was ordered is not this campaign's product, value and quantity"
                yield Violation(5, "value", entry.number, found)
        if batch.order.id is not None:
            owner = self._orders.setdefault(batch.order.id, entry.number)
            if owner != entry.number:
                found = f"order {batch.order.id} belongs to batch {owner} too"
                yield Violation(1, "order_id", entry.number, found)


def _judge_contents(
    findings: VerificationFindings, entry: BatchView, content: SealedContents
) -> None:
    for violation in content.violations:
        findings.add(violation)
    if content.links is not None:
        findings.links += sum(map(bool, content.links))
        for violation in link_violations(content.links, entry):
            findings.add(violation)
    for violation in content.mismatches(entry):
        findings.add(violation)


async def _ask_remote(
    findings: VerificationFindings,
    remote: RemoteCheck | None,
    request: OrderRequest | None,
    entry: BatchView,
    content: SealedContents,
) -> None:
    if remote is None or request is None or entry.batch.order.id is None:
        return
    if (
        entry.batch.replacement.into and not entry.batch.fulfilled_ms
    ):  # a dead order may be in any state by now
        return
    findings.orders_read += 1
    # The link of an erased recipient is not stored, so the links of its batch are not compared.
    links = () if entry.batch.erased else content.links or ()
    for violation in await remote.violations(entry, request, links):
        findings.add(violation)


def _differences(totals: _Totals, counted: Counter[str]) -> Iterator[Violation]:
    for name in sorted(totals.counters.keys() | counted.keys()):
        stored = totals.counters.get(name, 0)
        if stored != counted[name]:
            found = f"{name} is {stored}, counted are {counted[name]}"
            yield Violation(5, "counter", None, found)
    unfinished = sum(counted[batch_counter(state)] for state in UNFINISHED)
    if totals.due != unfinished:
        found = f"{totals.due} entries in the due indexes for {unfinished} unfinished batches"
        yield Violation(7, "due_index", None, found)
    deliveries = sum(counted[name] for name in _OPEN_DELIVERIES) - counted[ERASED_UNCERTAIN]
    done = not unfinished and (totals.cancelled or not deliveries)
    if totals.finished != done:
        claim = "finished" if totals.finished else "unfinished"
        found = f"it is {claim}; open are {unfinished} batches and {deliveries} deliveries"
        yield Violation(7, "finished", None, found)
    if not totals.finished and not totals.active:
        yield Violation(7, "active", None, "it is unfinished, but no worker would look at it")
