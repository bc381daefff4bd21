"""Several workers, an operator and chance, working one campaign in a real Valkey."""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.domain.batch import Lane, Unit, WaitCounter
from pipeline.domain.errors import AbandonedError, StaleLeaseError
from pipeline.domain.models import ChannelName, DeliveryStatus, FactKind, Recipient
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.formats.records import initial_records
from tests.pipeline.ledger import (
    Counted,
    Ledger,
    a_campaign,
    assert_sound,
    lapse,
    make_due,
    open_ledger,
    pump,
    submit,
)
from tests.support.redis import Redis

Value = TypeVar("Value")
KINDS = tuple(FactKind)
FINAL = {
    DeliveryStatus.SENT,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.FAILED,
    DeliveryStatus.SUPPRESSED,
}

policies = st.sampled_from(["resend", "hold"])
reach = st.sampled_from([("e", ""), ("", "s"), ("e", "s")])
crowds = st.lists(st.lists(reach, min_size=1, max_size=3), min_size=1, max_size=2)
pick = st.integers(0, 1_000_000)
mostly = st.sampled_from([True, True, False])


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that a worker was allowed to start."""

    batch: int
    index: int
    channel: ChannelName
    number: int


class LedgerMachine(RuleBasedStateMachine):
    """
    Every rule is something that can happen at any moment, however late, double or out of order.

    A worker that crashes is one whose claim is never used again; its lease lapses by `let_lapse`.
    """

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = Redis.from_url(self.url)
        self.nonces = itertools.count()
        self.units: list[Unit] = []
        self.claims: list[Claim] = []
        self.attempts: list[Attempt] = []
        self.serial = ""
        self.before: Counted | None = None
        self.retried = False

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(work)

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @initialize(
        mode=st.sampled_from(["first", "all"]),
        email=policies,
        sms=policies,
        crowd=crowds,
        ahead=st.integers(0, 4),
    )
    def submitted(
        self, mode: str, email: str, sms: str, crowd: list[list[tuple[str, str]]], ahead: int
    ) -> None:
        self.do(self.redis.flushall())
        self._ledger = open_ledger(self.redis)
        campaign = a_campaign(
            channels=("email", "sms"), mode=mode, email_uncertain=email, sms_uncertain=sms
        )
        numbers = itertools.count()
        batches = [[_person(next(numbers), *each) for each in batch] for batch in crowd]
        self.campaign, self.size = campaign, len(batches)
        self.serial = self.do(submit(self.ledger, campaign, batches))
        for _ in range(ahead):
            self.fetch()
            self.settle(self.claims[-1], 4 + ahead % 2)

    # Time and chance

    @rule()
    def time_passes(self) -> None:
        """Everything that is waited for comes; leases are as alive as they were."""
        self.do(make_due(self.ledger, self.serial))

    @rule(which=pick)
    def let_lapse(self, which: int) -> None:
        """A worker crashed, froze, or lost its line for longer than its lease."""
        self.do(lapse(self.ledger, self.serial, 1 + which % len(self.batches())))

    # Workers

    @precondition(lambda self: self.units)
    @rule(which=pick)
    def late_job(self, which: int) -> None:
        """The executor runs a job late, or twice."""
        self.claim(self.units[which % len(self.units)])

    @rule()
    def fetch(self) -> None:
        """A worker takes whatever is due next."""
        self.time_passes()
        self.units += self.do(pump(self.ledger, 1))
        if self.units:
            self.claim(self.units[-1])

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def heartbeat(self, which: int) -> None:
        claim = self.some(which)
        alive = self.holds(claim)
        renewed = self.do(self.ledger.batches.renew([(claim.unit, claim.token)], 30))
        assert renewed == [alive]

    @rule(hows=st.lists(st.integers(0, 6), min_size=1, max_size=4))
    def work(self, hows: list[int]) -> None:
        for how in hows:
            if not self.claims or not self.holds(self.claims[-1]):
                self.fetch()
            if self.claims:
                self.settle(self.claims[-1], how)

    @precondition(lambda self: self.claims)
    @rule(which=pick, how=st.integers(0, 6))
    def work_on(self, which: int, how: int) -> None:
        """A worker goes on with any claim that it ever had."""
        self.settle(self.some(which), how)

    @precondition(lambda self: self.claims)
    @rule(how=st.integers(0, 6))
    def lose_the_lease(self, how: int) -> None:
        """A worker wakes up when another one has its batch, and goes on all the same."""
        stale = self.claims[-1]
        self.do(lapse(self.ledger, self.serial, stale.unit.batch))
        self.fetch()
        self.settle(stale, how)

    @precondition(lambda self: self.claims)
    @rule(how=st.integers(1, 6), sure=st.integers(0, 2))
    def cancelled_meanwhile(self, how: int, sure: int) -> None:
        """A worker does not know yet that the campaign was cancelled."""
        if sure == 0:
            self.do(self.ledger.campaigns.steer(self.serial, "cancel"))
            self.settle(self.claims[-1], how)

    @precondition(lambda self: self.attempts)
    @rule(which=pick, kind=st.sampled_from(KINDS), newest=mostly, delay=st.sampled_from([0, 9]))
    def fact(self, which: int, kind: FactKind, newest: bool, delay: float) -> None:  # noqa: FBT001
        """A result, a callback or a bounce; of any attempt, from anyone, as often as it likes."""
        attempt = self.attempts[-1 if newest else which % len(self.attempts)]
        self.tell(attempt, kind, delay)

    # Operators

    @rule(verb=st.sampled_from(["pause", "resume", "resume"]))
    def steer(self, verb: Any) -> None:  # noqa: ANN401
        self.do(self.ledger.campaigns.steer(self.serial, verb))

    @rule(flags=st.tuples(*[st.booleans()] * 4), which=pick)
    def retry(self, flags: tuple[bool, bool, bool, bool], which: int) -> None:
        failed, uncertain, held, adopt = flags
        number = 1 + which % len(self.batches())
        self.retried = True
        self.do(
            self.ledger.batches.retry(
                self.serial, number, failed=failed, uncertain=uncertain, held=held, adopt=adopt
            )
        )

    @rule(which=pick)
    def wake(self, which: int) -> None:
        self.do(self.ledger.batches.wake(self.serial, 1 + which % len(self.batches())))

    # What always holds

    @invariant()
    def the_ledger_is_sound(self) -> None:
        if not self.serial:
            return
        now = self.do(assert_sound(self.ledger, self.serial))
        if self.before is not None and not self.retried:
            _assert_forward(self.before, now)
        self.before, self.retried = now, False

    def teardown(self) -> None:
        try:
            if self.serial:
                self.drain()
        finally:
            self.do(self.redis.aclose())
            self.runner.close()

    def drain(self) -> None:
        """Let one honest worker finish: the campaign is finished only if nothing is open."""
        self.do(self.ledger.campaigns.steer(self.serial, "resume"))
        for _ in range(30):
            self.do(self.lapse_all())
            units = self.do(pump(self.ledger))
            if not units:
                break
            for unit in units:
                claim = self.claim(unit)
                if claim is None:  # one death too many: it is held
                    held = self.do(self.ledger.batches.read(unit.serial, unit.batch))
                    assert held is not None
                    assert held.hold.reason == "worker_deaths"
                else:
                    self.do(self.finish(claim))
        else:
            message = "the campaign never comes to its end"
            raise AssertionError(message)
        counted = self.do(assert_sound(self.ledger, self.serial))
        stored = self.do(self.ledger.counters(self.serial))
        still_open = counted.counters["b:held"] or (
            "can" not in stored and counted.counters["p:open"]
        )
        note(f"at the end: {dict(counted.counters)}")
        assert ("fin" in stored) == (not still_open)

    # How it is done

    async def lapse_all(self) -> None:
        for number in self.batches():
            await lapse(self.ledger, self.serial, number)

    def batches(self) -> range:
        return range(1, self.size + 1)

    def some(self, which: int) -> Claim:
        return self.claims[which % len(self.claims)]

    def halted(self) -> bool:
        return bool(self.do(self.ledger.campaigns.halted([self.serial])))

    def holds(self, claim: Claim) -> bool:
        fields = self.do(self.ledger.fields(self.serial, claim.unit.batch))
        return fields.get("tok") == claim.token

    def settle(self, claim: Claim, how: int) -> None:
        alive, halted, known = self.holds(claim), self.halted(), len(self.attempts)
        try:
            self.do(self.step(claim, how))
        except StaleLeaseError:
            assert not alive or (how == 0 and not claim.cancelled), "a live lease was refused"
        except AbandonedError:
            assert halted, "refused, though nothing is paused or cancelled"
        else:
            assert alive, "somebody without the lease was let through"
            assert not (halted and len(self.attempts) > known), "started, though halted"

    def claim(self, unit: Unit) -> Claim | None:
        fields = self.do(self.ledger.fields(self.serial, unit.batch))
        free = "tok" not in fields or fields["lu"] == "1"
        found = self.do(
            self.ledger.batches.claim(unit, nonce=f"w{next(self.nonces)}", lease_seconds=600)
        )
        if found is not None:
            assert free, "two workers hold the same batch"
            self.claims.append(found)
        return found

    async def step(self, claim: Claim, how: int) -> None:
        batches = self.ledger.batches
        if how == 0:
            await batches.cancel(claim)
        elif how == 1:
            await batches.release(claim, delay=5, counter=WaitCounter.FAILS)
        elif claim.unit.lane is Lane.ORDER:
            await self.order(claim, how)
        elif claim.unit.lane is Lane.READ:
            await self.read(claim, how)
        elif how in {2, 3}:
            await batches.distributed(claim, delay=0)
        else:
            await self.intend(claim)

    async def order(self, claim: Claim, how: int) -> None:
        batches, nonce = self.ledger.batches, f"post{next(self.nonces)}"
        posts = await batches.order_intent(
            claim, po_number=f"PO-{claim.unit.batch}", payload_hash="h", nonce=nonce
        )
        assert posts is not None
        if how == 2:
            await batches.order_unsent(claim, nonce)
        elif how == 3:
            await batches.hold(claim, "foreign_order", missing=0, reread=0)
        else:
            placed = await batches.order_placed(claim, f"order-{claim.unit.batch}")
            self.claims.append(placed)

    async def read(self, claim: Claim, how: int) -> None:
        batches, size = self.ledger.batches, claim.batch.size
        if how == 2:
            await batches.hold(claim, "links_short", missing=1, reread=0)
        elif how == 3:
            await batches.hold(claim, "order_overdue", missing=0, reread=900)
        else:
            links = [f"https://x.example/{claim.unit.batch}/{i}" for i in range(size)]
            assert await batches.links_received(claim, links) is None

    async def intend(self, claim: Claim) -> None:
        delivery = self.campaign.delivery
        records = [
            (index, record)
            for index in range(claim.batch.size)
            for record in claim.ledger.get(index)
            or initial_records(delivery.channels, delivery.mode, claim.batch.plan, index)
        ]
        wanted = [
            IntentRequest(index, record.channel, record.attempt) for index, record in records
        ]
        granted = await self.ledger.deliveries.intend(claim, wanted)
        self.attempts += [
            Attempt(claim.unit.batch, each.index, each.channel, number)
            for each, number in zip(wanted, granted, strict=True)
            if number
        ]

    async def look_up(self, claim: Claim) -> None:
        """Find nothing at the provider of what is uncertain, and go by the campaign's policy."""
        facts = [
            Fact(index, record.channel, record.attempt, FactKind.NOT_FOUND)
            if self.campaign.resends(record.channel)
            else Fact(index, record.channel, record.attempt, FactKind.LOOKED_FOR, "unconfirmed")
            for index, records in claim.ledger.items()
            for record in records
            if record.status is DeliveryStatus.UNCERTAIN and record.channel is ChannelName.SMS
        ]
        await self.ledger.deliveries.record({(self.serial, claim.unit.batch): facts})

    def tell(self, attempt: Attempt, kind: FactKind, delay: float = 0) -> None:
        fact = Fact(attempt.index, attempt.channel, attempt.number, kind, f"c_{kind}", delay)
        self.do(self.ledger.deliveries.record({(self.serial, attempt.batch): [fact]}))

    async def finish(self, claim: Claim) -> None:
        """What a worker does that meets no trouble any more."""
        known = len(self.attempts)
        if claim.cancelled and claim.unit.lane is not Lane.READ:
            await self.ledger.batches.cancel(claim)
        elif claim.unit.lane is Lane.SEND:
            await self.look_up(claim)
            await self.intend(claim)
            for each in self.attempts[known:]:
                fact = Fact(each.index, each.channel, each.number, FactKind.SENT)
                await self.ledger.deliveries.record({(self.serial, each.batch): [fact]})
            await self.ledger.batches.distributed(claim, delay=0)
        else:
            await self.step(claim, 4)


def _person(number: int, email: str, phone: str) -> Recipient:
    return Recipient(
        id=f"r-{number}",
        email=f"p{number}@example.com" if email else "",
        phone=f"+1555{number:07d}" if phone else "",
    )


def _assert_forward(before: Counted, now: Counted) -> None:
    """Without an operator's retry nothing that is settled becomes open again."""
    for key, deliveries in before.records.items():
        after = {each.channel: each for each in now.records[key]}
        for each in deliveries:
            later = after[each.channel]
            assert later.attempt >= each.attempt
            if each.status in FINAL:
                assert later.status in FINAL, f"{key}: {each} became {later}"
            if each.status is DeliveryStatus.SKIPPED and each.code != "retry":
                assert later.status in FINAL | {DeliveryStatus.SKIPPED}
