"""Workers with views of any age, late facts, and an operator who resends many times."""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.domain.errors import InputError, StaleLeaseError
from pipeline.domain.models import ChannelName, DeliveryStatus, FactKind
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.formats.records import initial_records
from tests.pipeline.ledger import (
    a_campaign,
    assert_sound,
    fulfilled,
    lapse,
    links_of,
    make_due,
    open_ledger,
    people,
    pump,
    submit,
)
from tests.pipeline.operations.resends import EMAIL, SMS, a_minute_passes, resend
from tests.support.redis import Redis

Value = TypeVar("Value")
SIZE = 2
KINDS = tuple(FactKind)
LIVE = {DeliveryStatus.PENDING, DeliveryStatus.SENDING}

pick = st.integers(0, 1_000_000)
who = st.integers(0, SIZE - 1)


@dataclass(frozen=True, slots=True)
class View:
    """What a worker read when it claimed the batch; it may act on it at any later time."""

    claim: Claim
    addresses: tuple[dict[ChannelName, str], ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Started:
    index: int
    channel: ChannelName
    resend_number: int
    attempt: int


class ResendMachine(RuleBasedStateMachine):
    """One batch of two people; `numbers` are the last resend numbers that the operator knows."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = Redis.from_url(self.url)
        self.names = itertools.count()
        self.views: list[View] = []
        self.started: list[Started] = []
        self.sent: dict[int, set[str]] = {index: set() for index in range(SIZE)}
        self.wanted: dict[tuple[int, ChannelName], str] = {}
        self.numbers: dict[tuple[int, ChannelName], int] = {}
        self.serial = ""

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(work)

    @initialize(mode=st.sampled_from(["first", "all"]))
    def submitted(self, mode: str) -> None:
        self.do(self.redis.flushall())
        self.ledger = open_ledger(self.redis)
        self.campaign = a_campaign(channels=("email", "sms"), mode=mode)
        crowd = people(SIZE, phone=True)
        self.serial = self.do(submit(self.ledger, self.campaign, [crowd]))
        claim = self.do(fulfilled(self.ledger, self.serial))
        self._look(claim)
        for index, person in enumerate(crowd):
            for channel in (EMAIL, SMS):
                self.wanted[index, channel] = person.address(channel)

    # A worker

    @rule()
    def claims(self) -> None:
        """The worker before is dead, or settled; the next one takes the batch."""
        self.do(lapse(self.ledger, self.serial))
        for unit in self.do(pump(self.ledger)):
            claim = self.do(
                self.ledger.batches.claim(unit, nonce=f"w{next(self.names)}", lease_seconds=600)
            )
            if claim is not None:
                self._look(claim)

    @rule(which=pick, index=who)
    def intends(self, which: int, index: int) -> None:
        """Somebody starts, by what they saw when they claimed, and sends at once."""
        view = self._view(which)
        delivery = self.campaign.delivery
        records = view.claim.ledger.get(index) or initial_records(
            delivery.channels, delivery.mode, view.claim.batch.plan, index
        )
        for record in records:
            wanted = IntentRequest(
                index, record.channel, record.attempt, resend_number=record.resend_number
            )
            try:
                [attempt] = self.do(self.ledger.deliveries.intend(view.claim, [wanted]))
            except StaleLeaseError:
                return
            if attempt:
                self._send(view, index, record.channel, record.resend_number, attempt)

    @rule(which=pick, kind=st.sampled_from(KINDS), exact=st.booleans())
    def happens(self, which: int, kind: FactKind, exact: bool) -> None:  # noqa: FBT001 - drawn
        """Any news of anything that was ever started, however late."""
        if self.started:
            s = self.started[which % len(self.started)]
            attempt = s.attempt if exact else 0
            fact = Fact(
                s.index, s.channel, attempt, kind, "code", 0, resend_number=s.resend_number
            )
            self.do(self.ledger.deliveries.record({(self.serial, 1): [fact]}))

    @rule(which=pick)
    def settles(self, which: int) -> None:
        try:
            self.do(self.ledger.batches.distributed(self._view(which).claim, delay=0))
        except StaleLeaseError:
            return

    @rule()
    def time_passes(self) -> None:
        self.do(a_minute_passes(self.ledger, self.serial))
        self.do(make_due(self.ledger, self.serial))

    # The operator

    @rule(index=who, channel=st.sampled_from([None, EMAIL, SMS]), same=st.booleans())
    def resends(self, index: int, channel: ChannelName | None, same: bool) -> None:  # noqa: FBT001 - drawn
        address = ""
        if channel is not None:
            new = next(self.names)
            fresh = f"new{new}@example.com" if channel is EMAIL else f"+1556{new:07d}"
            address = self.wanted[index, channel] if same else fresh
        try:
            made = self.do(
                resend(self.ledger, self.serial, f"r-{index}", channel, address, elsewhere=True)
            )
        except InputError:
            return
        assert made.address == (address or self.wanted[index, made.channel])
        self.wanted[index, made.channel] = made.address
        self.numbers[index, made.channel] = made.number

    @rule(failed=st.booleans())
    def retries(self, failed: bool) -> None:  # noqa: FBT001 - drawn
        retrying = self.ledger.batches.retry(
            self.serial, 1, failed=failed, uncertain=not failed, held=False, adopt=False
        )
        self.do(retrying)

    # What always holds

    @invariant()
    def the_ledger_is_sound(self) -> None:
        if not self.serial:
            return
        found = self.do(assert_sound(self.ledger, self.serial))
        for (_, index), records in found.records.items():
            live = [record for record in records if record.status in LIVE]
            assert self.campaign.delivery.mode == "all" or len(live) < 2, records
            for record in records:
                known = self.numbers.get((index, record.channel), 1)
                assert record.resend_number == known, "the resend number is not the last one"
            assert len(self.sent[index]) < 2, "a person with two links"

    def teardown(self) -> None:
        self.do(self.redis.aclose())
        self.runner.close()

    # How it is done

    def _view(self, which: int) -> View:
        return self.views[which % len(self.views)]

    def _look(self, claim: Claim) -> None:
        found = self.do(self.ledger.campaigns.current_recipients(self.serial, 1))
        addresses = tuple({EMAIL: p.email, SMS: p.phone} for p in found)
        links = tuple(self.do(self.ledger.batches.links(self.serial, 1)))
        assert links == tuple(links_of(self.serial, 1, SIZE))
        self.views.append(View(claim, addresses, links))

    def _send(
        self, view: View, index: int, channel: ChannelName, resend_number: int, attempt: int
    ) -> None:
        known = self.numbers.get((index, channel), 1)
        assert resend_number == known, "a message starts after it was resent"
        assert view.addresses[index][channel] == self.wanted[index, channel], "an old address"
        self.sent[index].add(view.links[index])
        self.started.append(Started(index, channel, resend_number, attempt))
