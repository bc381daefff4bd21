"""Several workers and campaigns at one due index in a real Valkey: who gets what, and when."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.keys import due_key
from tests.pipeline.ledger import (
    LANES,
    Ledger,
    a_campaign,
    assert_sound,
    claim,
    lapse,
    links_of,
    make_due,
    open_ledger,
    submit,
)
from tests.support.redis import Redis

Value = TypeVar("Value")
Batch = tuple[str, int]
MOST_CAMPAIGNS = 3

pick = st.integers(0, 1_000_000)
slots = st.tuples(*[st.integers(0, 3)] * 3)


@dataclass(slots=True)
class Campaign:
    """What the machine knows of a campaign by itself, without a look at how it is stored."""

    size: int
    paused: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class Model:
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    claims: dict[Batch, Claim] = field(default_factory=dict)
    dispatched: set[Batch] = field(default_factory=set)
    """Given to a worker, and neither claimed nor lapsed."""
    late: set[Batch] = field(default_factory=set)
    """Leased, but its worker's heartbeat is late, so that others may be sent to look."""
    dispatch_numbers: dict[Batch, int] = field(default_factory=dict)
    """The last unit of each, as long as it may still be claimed."""


class DueMachine(RuleBasedStateMachine):
    """
    A worker that dies between pump and claim is a unit that nobody uses; its dispatch lapses.

    Batches are never due later than now, or only when time passes: `make_due` lets it.
    """

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = Redis.from_url(self.url)
        self.nonces = itertools.count()
        self.model = Model()
        self.units: list[Unit] = []

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(work)

    @initialize(sizes=st.lists(st.integers(1, 3), min_size=2, max_size=2))
    def started(self, sizes: list[int]) -> None:
        self.do(self.redis.flushall())
        self.ledger: Ledger = open_ledger(self.redis)
        for size in sizes:
            self.submit(size)

    @precondition(lambda self: len(self.model.campaigns) < MOST_CAMPAIGNS)
    @rule(size=st.integers(1, 3))
    def submit(self, size: int) -> None:
        campaign = a_campaign(f"c{len(self.model.campaigns)}")
        serial = self.do(submit(self.ledger, campaign, size))
        self.model.campaigns[serial] = Campaign(size)

    # Workers

    @rule(free=slots)
    def pump(self, free: tuple[int, int, int]) -> None:
        self.given(free)

    def given(self, free: tuple[int, int, int]) -> list[Unit]:
        """A worker asks for work; the units it gets are due, no other's, and fairly shared."""
        before = self.do(self.ready())
        found = self.do(self.pumped(free))
        self.assert_allowed(found, free, before)
        self.assert_fair(found, self.do(self.ready()))
        for unit in found:
            self.model.dispatched.add((unit.serial, unit.batch))
            self.model.dispatch_numbers[unit.serial, unit.batch] = unit.dispatch_number
        self.units += found
        return found

    @rule()
    def every_campaign_is_served(self) -> None:
        """One slot at a time: every campaign with work is served before one is served again."""
        ready = {serial for serial, _, lane in self.do(self.ready()) if lane is Lane.ORDER}
        served = [unit.serial for _ in ready for unit in self.given((1, 0, 0))]
        assert sorted(served) == sorted(ready)

    @precondition(lambda self: self.units)
    @rule(which=pick, newest=st.booleans(), pause=st.integers(0, 5))
    def claim(self, which: int, newest: bool, pause: int) -> None:  # noqa: FBT001 - hypothesis passes it so
        """A job runs: at once, late, for the second time, or when somebody has just paused."""
        unit = self.units[-1 if newest else which % len(self.units)]
        if pause == 0:
            self.operate(unit.serial, "pause")
        self.run_job(unit)

    def run_job(self, unit: Unit) -> None:
        batch = (unit.serial, unit.batch)
        found = self.do(claim(self.ledger, unit, nonce=f"n{next(self.nonces)}"))
        if found is not None:
            assert batch not in self.model.claims, "two workers hold the same batch"
            expected = self.model.dispatch_numbers.pop(batch)
            assert unit.dispatch_number == expected, "a job ran again, or after a later dispatch"
            assert not self.model.campaigns[unit.serial].paused
            self.model.claims[batch] = found
            self.model.dispatched.discard(batch)
        elif self.model.dispatch_numbers.get(batch) == unit.dispatch_number:
            self.model.dispatched.discard(batch)  # paused, or one death too many

    @precondition(lambda self: self.model.claims)
    @rule(which=pick, how=st.sampled_from(["wait", "again", "on", "on"]))
    def settle(self, which: int, how: str) -> None:
        """A worker ends its work: later, at once again, or one state further."""
        batch, found = self.some_claim(which)
        del self.model.claims[batch]
        self.do(self.settled(found, how))

    @precondition(lambda self: self.model.claims)
    @rule(which=pick)
    def crash(self, which: int) -> None:
        """A worker dies with a claim, and its lease lapses."""
        (serial, number), _ = self.some_claim(which)
        del self.model.claims[serial, number]
        self.do(lapse(self.ledger, serial, number))
        self.lapsed(serial)

    # Time and operators

    @rule()
    def time_passes(self) -> None:
        """Every wait and every dispatch that nobody claimed is over; leases are kept alive."""
        for serial in self.model.campaigns:
            self.do(make_due(self.ledger, serial))
            self.lapsed(serial)

    @precondition(lambda self: self.model.claims)
    @rule(which=pick)
    def heartbeat_is_late(self, which: int) -> None:
        """The batch is due again before the lease is over, and must not be taken from anybody."""
        (serial, _), _ = self.some_claim(which)
        self.do(make_due(self.ledger, serial))
        self.model.dispatched -= {each for each in self.model.dispatched if each[0] == serial}
        self.model.late |= {each for each in self.model.claims if each[0] == serial}
        for unit in self.given((3, 3, 3)):
            self.run_job(unit)

    @rule(which=pick, verb=st.sampled_from(["pause", "resume", "resume", "cancel"]), sure=pick)
    def steer(self, which: int, verb: Any, sure: int) -> None:  # noqa: ANN401 - a literal
        if verb == "cancel" and sure % 4:
            return  # it is final, so not too often
        self.operate(list(self.model.campaigns)[which % len(self.model.campaigns)], verb)

    def operate(self, serial: str, verb: Any) -> None:  # noqa: ANN401 - a literal
        campaign = self.model.campaigns[serial]
        if self.do(self.ledger.campaigns.steer(serial, verb)):
            campaign.paused = verb == "pause"
            if verb == "cancel":
                campaign.cancelled = True
                self.lapsed(serial)  # all of it is due at once, also what was dispatched

    @rule(which=pick, batch=st.integers(1, 3))
    def wake(self, which: int, batch: int) -> None:
        serial = list(self.model.campaigns)[which % len(self.model.campaigns)]
        if batch <= self.model.campaigns[serial].size:
            self.do(self.ledger.batches.wake(serial, batch))
            self.model.dispatched.discard((serial, batch))

    @invariant()
    def each_open_batch_stands_in_one_index(self) -> None:
        for serial in self.model.campaigns:
            self.do(assert_sound(self.ledger, serial))

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            self.do(self.redis.aclose())
            self.runner.close()

    def drain(self) -> None:
        """Nothing was lost: one worker that goes on brings every batch to its end."""
        for serial, campaign in self.model.campaigns.items():
            self.do(self.ledger.campaigns.steer(serial, "resume"))
            campaign.paused = False
        for batch, found in list(self.model.claims.items()):
            del self.model.claims[batch]
            self.do(self.settled(found, "again"))
        for _ in range(12):
            self.time_passes()
            units = self.do(self.pumped((9, 9, 9)))
            if not units:
                break
            for unit in units:
                taken = self.do(claim(self.ledger, unit, nonce=f"n{next(self.nonces)}"))
                if taken is not None:
                    self.do(self.finished(taken))
        left = self.do(self.open_batches())
        assert not left, f"nobody was ever given {left}"

    # How it is done

    async def pumped(self, free: tuple[int, int, int]) -> list[Unit]:
        order, read, send = free
        return await self.ledger.batches.pump(
            order=order, read=read, send=send, dispatch_seconds=600
        )

    async def ready(self) -> set[tuple[str, int, Lane]]:
        """Return every batch that is due now in a campaign that may be worked on."""
        seconds, micros = map(int, await self.redis.time())
        found = set()
        for serial, campaign in self.model.campaigns.items():
            for lane in () if campaign.paused else LANES[:3]:
                key, now = due_key(serial, lane), seconds * 1000 + micros // 1000
                due = await self.redis.zrangebyscore(key, "-inf", now)
                found |= {(serial, int(number), lane) for number in due}
        return found

    def assert_allowed(
        self, found: list[Unit], free: tuple[int, int, int], ready: set[tuple[str, int, Lane]]
    ) -> None:
        by_lane = Counter(unit.lane for unit in found)
        assert all(by_lane[lane] <= number for lane, number in zip(LANES, free, strict=False))
        batches = [(unit.serial, unit.batch) for unit in found]
        assert len(set(batches)) == len(batches), "a batch was given twice in one call"
        for batch in batches:
            assert batch not in self.model.claims.keys() - self.model.late, "somebody works on it"
            assert batch not in self.model.dispatched, "somebody was given it, and may start"
            assert not self.model.campaigns[batch[0]].paused
        assert {(unit.serial, unit.batch, unit.lane) for unit in found} <= ready

    def assert_fair(self, found: list[Unit], left: set[tuple[str, int, Lane]]) -> None:
        """A campaign with work left got no less than any other, but for the last round."""
        for lane in LANES[:3]:
            got = Counter(unit.serial for unit in found if unit.lane is lane)
            waiting = {serial for serial, _, where in left if where is lane}
            for serial in waiting:
                assert got[serial] >= max(got.values(), default=0) - 1

    def some_claim(self, which: int) -> tuple[Batch, Claim]:
        return list(self.model.claims.items())[which % len(self.model.claims)]

    def lapsed(self, serial: str) -> None:
        """The dispatches of a campaign lapse; living workers renew their leases."""
        self.model.dispatched -= {each for each in self.model.dispatched if each[0] == serial}
        held = [(found.unit, found.token) for found in self.model.claims.values()]
        assert all(self.do(self.ledger.batches.renew(held, 600)))
        self.model.late.clear()

    async def settled(self, found: Claim, how: str) -> None:
        batches, campaign = self.ledger.batches, self.model.campaigns[found.unit.serial]
        if how != "on" or campaign.paused or campaign.cancelled:
            await batches.release(found, delay=900 if how == "wait" else 0)
        else:
            await self.finished(found)

    async def finished(self, found: Claim) -> None:
        """One state further: ordered, fulfilled, or sent."""
        batches, unit = self.ledger.batches, found.unit
        if self.model.campaigns[unit.serial].cancelled and unit.lane is not Lane.READ:
            await batches.cancel(found)
        elif unit.lane is Lane.ORDER:
            po = f"PO-{unit.serial}-{unit.batch}"
            await batches.order_intent(
                found, po_number=po, payload_hash="h", nonce=f"p{next(self.nonces)}"
            )
            found = await batches.order_placed(found, f"order-{unit.serial}-{unit.batch}")
            await batches.release(found, delay=0)
        elif unit.lane is Lane.READ:
            links = links_of(unit.serial, unit.batch, found.batch.size)
            assert await batches.links_received(found, links) is None
        else:
            wanted = [IntentRequest(0, ChannelName.EMAIL, 0)]
            [number] = await self.ledger.deliveries.intend(found, wanted)
            fact = Fact(0, ChannelName.EMAIL, number, FactKind.SENT)
            await self.ledger.deliveries.record({(unit.serial, unit.batch): [fact]})
            await batches.distributed(found, delay=0)

    async def open_batches(self) -> list[Batch]:
        return [
            (serial, number)
            for serial, campaign in self.model.campaigns.items()
            for number in range(1, campaign.size + 1)
            if not _ended(await self.ledger.fields(serial, number))
        ]


def _ended(fields: dict[str, str]) -> bool:
    return fields["st"] in {"done", "cancelled"} or fields.get("why") == "worker_deaths"
