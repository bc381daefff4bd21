"""Dead orders are ended at any moment, and still nobody gets two links, or somebody else's."""

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from pipeline.domain.batch import Lane
from pipeline.domain.errors import InputError
from pipeline.operations.replace_order import OrderReplacement, ReplacementPlan
from pipeline.store.batches import Claim
from pipeline.store.maintenance.reorders import ReorderStore
from pipeline.store.scripts import Scripts
from tests.pipeline.ledger import lapse, make_due
from tests.pipeline.store.machines.ledger_machine import LedgerMachine, pick, policies, reach

People = dict[str, tuple[int, int]]

# As a submit makes them: only the last batch may be smaller.
full_batches = st.builds(
    lambda full, last: [*full, last],
    st.lists(st.lists(reach, min_size=3, max_size=3), max_size=3),
    st.lists(reach, min_size=1, max_size=3),
)


class ReorderMachine(LedgerMachine):
    """
    The ledger's machine, with an operator who ends dead orders by plans that may be old.

    A worker goes on with whatever claim it once had, also of a batch whose order was ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[ReplacementPlan] = []
        self.given: dict[str, str] = {}
        self.people: set[str] | None = None
        self.urls = itertools.count()

    @initialize(
        mode=st.sampled_from(["first", "all"]),
        email=policies,
        sms=policies,
        crowd=full_batches,
        ahead=st.integers(0, 2),
    )
    def submitted(
        self, mode: str, email: str, sms: str, crowd: list[list[tuple[str, str]]], ahead: int
    ) -> None:
        super().submitted(mode=mode, email=email, sms=sms, crowd=crowd, ahead=ahead)

    def order_replacement(self) -> OrderReplacement:
        vault = self.ledger.vault
        store = ReorderStore(Scripts(self.redis), vault)
        return OrderReplacement(self.ledger.pages, self.ledger.lookups, store, vault, None)

    @rule(which=pick)
    def look(self, which: int) -> None:
        """An operator looks at a batch, and decides later."""
        number = 1 + which % len(self.batches())
        snapshot = self.do(self.ledger.campaigns.snapshot(self.serial))
        try:
            found = self.do(self.order_replacement().plan(snapshot, number))
        except InputError:
            return
        if isinstance(found, ReplacementPlan):
            self.plans.append(found)

    @precondition(lambda self: self.plans)
    @rule(which=pick)
    def carry_out(self, which: int) -> None:
        """Any plan, however old, as often as anybody likes."""
        self.end(self.plans[which % len(self.plans)])

    @rule(which=pick)
    def end_at_once(self, which: int) -> None:
        known = len(self.plans)
        self.look(which)
        if len(self.plans) > known:
            self.end(self.plans[-1])

    @rule(late=st.integers(0, 6))
    def comes_short_and_is_ended(self, late: int) -> None:
        """Whatever its worker does then with the claim that it once had."""
        claim = self.comes_short()
        if claim is not None:
            self.end_at_once(claim.unit.batch - 1)
            self.settle(claim, late)

    @rule(steps=st.integers(0, 4))
    def decided_too_late(self, steps: int) -> None:
        """The batch goes on while the operator still decides."""
        claim = self.comes_short()
        if claim is None:
            return
        number, known = claim.unit.batch, len(self.plans)
        self.look(number - 1)
        retrying = self.ledger.batches.retry(
            self.serial, number, failed=False, uncertain=False, held=True, adopt=False
        )
        self.do(retrying)
        self.retried = True
        self.work([4] * steps)
        for plan in self.plans[known:]:
            self.end(plan)

    def comes_short(self) -> Claim | None:
        """Bring some order to its end, with a link too few, and return its worker's claim."""
        for _ in range(4):
            if not self.claims or not self.holds(self.claims[-1]):
                self.fetch()
            claim = self.claims[-1] if self.claims else None
            if claim is not None and self.holds(claim):
                reads = claim.unit.lane is Lane.READ
                self.settle(claim, 2 if reads else 4)
                if reads:
                    return claim
        return None

    def end(self, plan: ReplacementPlan) -> None:
        try:
            new = self.do(self.order_replacement().execute(plan))
        except InputError:
            return
        self.size = max(self.size, new)
        self.retried = True

    async def read(self, claim: Claim, how: int) -> None:
        size = claim.batch.size
        if how == 2:
            links = [f"https://x.example/short/{next(self.urls)}" for _ in range(size - 1)]
            shown = {"Links": [{"Url": link} for link in links]}
            await self.ledger.batches.hold(
                claim,
                "links_short" if links else "order_failed",
                evidence=json.dumps(shown).encode(),
                missing=1,
                reread=0,
            )
        else:
            await super().read(claim, how)

    @invariant()
    def everybody_is_in_one_place_with_one_link_for_ever(self) -> None:
        if not self.serial:
            return
        places, links = self.do(self.everybody())
        self.people = self.people or set(places)
        assert set(places) == self.people, "somebody is gone, or new"
        assert len(set(links.values())) == len(links), "a link of two people"
        for person, link in self.given.items():
            assert links[person] == link, "somebody lost a link, or has another one"
        self.given = links
        if self.retried:
            self.do(self.all_are_found(places))

    async def everybody(self) -> tuple[People, dict[str, str]]:
        places: People = {}
        links: dict[str, str] = {}
        for number in self.batches():
            people = await self.ledger.campaigns.recipients(self.serial, number)
            given = await self.ledger.batches.links(self.serial, number)
            assert len(given) in {0, len(people)}
            assert not set(places) & {each.id for each in people}, "somebody in two batches"
            places |= {each.id: (number, index) for index, each in enumerate(people)}
            links |= {each.id: link for each, link in zip(people, given, strict=False)}
        return places, links

    async def all_are_found(self, places: People) -> None:
        snapshot = await self.ledger.campaigns.snapshot(self.serial)
        for person, place in places.items():
            assert await self.ledger.campaigns.locate(snapshot, person) == place

    def drain(self) -> None:
        self.do(self.ledger.campaigns.steer(self.serial, "resume"))
        for number in range(1, len(self.batches()) + 1):
            self.do(lapse(self.ledger, self.serial, number))
            self.end_at_once(number - 1)
        self.do(make_due(self.ledger, self.serial))
        super().drain()
        self.retried = True
        self.everybody_is_in_one_place_with_one_link_for_ever()


@pytest.fixture
def fast_url(valkey_url: str) -> Iterator[str]:
    """A server that does not sync: here nothing crashes but workers, and steps are many."""
    with Redis.from_url(valkey_url) as server:
        server.config_set("appendfsync", "no")
        yield valkey_url
        server.config_set("appendfsync", "always")


def test_no_sequence_of_events_gives_a_person_two_links(fast_url: str) -> None:
    class AtThisServer(ReorderMachine):
        url = fast_url

    run_state_machine_as_test(
        AtThisServer,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # shrinking would take minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
