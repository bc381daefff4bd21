"""Several workers and an operator at one limiter in a real Valkey, at any pace."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pipeline.domain.rate import Rate
from pipeline.store.rate_limiter import Limiter, Permits
from pipeline.store.scripts import decode_hash
from tests.pipeline.ledger import open_ledger
from tests.support.redis import Redis

Value = TypeVar("Value")
SHARED, OWN = "email", "1:email"
BURST_US = 100_000
WORKERS = 3

rates = st.sampled_from(["1/h", "6/m", "1/s", "7/s", "20/s", "500/s", "99999/s", "unlimited"]).map(
    Rate.parse
)
numbers = st.sampled_from([1, 1, 2, 7, 100, 1000])
pauses = st.sampled_from([0.001, 0.05, 0.1, 0.5, 1.0, 9.0, 61.0, 3700.0])


@dataclass(frozen=True, slots=True)
class Grant:
    """So many permits, at some moment between the two; times are in µs."""

    permits: int
    earliest: float
    latest: float


@dataclass(slots=True)
class Booked:
    """What one limiter gave since its rate was last changed, and when its cooldown ends."""

    rate: Rate
    grants: list[Grant] = field(default_factory=list)
    cooldown_end: tuple[float, float] = (0.0, 0.0)
    """Its cooldown ends between the two."""

    def cool_down(self, earliest: float, latest: float) -> None:
        first, last = self.cooldown_end
        self.cooldown_end = max(first, earliest), max(last, latest)

    def change(self, rate: Rate) -> None:
        if rate != self.rate:
            self.rate, self.grants = rate, []

    @property
    def tolerance(self) -> float:
        return max(BURST_US, self.rate.interval_us)

    def record(self, grant: Grant) -> None:
        """Over any window there is at most what the rate gives in it, and one burst."""
        assert grant.latest >= self.cooldown_end[0], "a permit was given in a cooldown"
        self.grants.append(grant)
        if not self.rate.permits:
            return
        total, earliest, latest = 0, grant.earliest, grant.latest
        for first in reversed(self.grants):
            total += first.permits
            # Of two at once, either may have been the first.
            earliest, latest = min(earliest, first.earliest), max(latest, first.latest)
            window = latest - earliest
            most = (window + self.tolerance) / self.rate.interval_us
            assert total <= most * (1 + 1e-6) + 0.01, f"{total} of {self.rate} in {window} µs"


class LimiterMachine(RuleBasedStateMachine):
    """
    Time passes by moving what is stored into the past, as the server's clock cannot be set.

    The campaign's limiter `1:email` is asked together with the fleet's.
    """

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = Redis.from_url(self.url)
        self.ahead = 0.0

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(work)

    @initialize(default=rates, own=rates)
    def started(self, default: Rate, own: Rate) -> None:
        self.do(self.redis.flushall())
        self.default = default
        self.workers = [open_ledger(self.redis, email=str(default)).limiter] * WORKERS
        self.shared, self.own = Booked(default), Booked(own)

    @rule(wanted=numbers, both=st.booleans())
    def ask(self, wanted: int, both: bool) -> None:  # noqa: FBT001 - hypothesis passes it so
        self.do(self.acquired(self.workers[0], wanted, both=both))

    @rule(wanted=st.lists(numbers, min_size=2, max_size=WORKERS), both=st.booleans())
    def ask_at_once(self, wanted: list[int], both: bool) -> None:  # noqa: FBT001
        async def race() -> None:
            asked = zip(self.workers, wanted, strict=False)
            await asyncio.gather(*(self.acquired(*each, both=both) for each in asked))

        self.do(race())

    @rule(wanted=numbers, both=st.booleans())
    def wait_as_returned(self, wanted: int, both: bool) -> None:  # noqa: FBT001
        """A worker that waits as long as the limiter said, with no rival, gets a permit."""
        refused = self.do(self.acquired(self.workers[0], wanted, both=both))
        if not refused.granted:
            self.time_passes(refused.wait)
            assert self.do(self.acquired(self.workers[1], wanted, both=both)).granted

    @rule(seconds=pauses)
    def time_passes(self, seconds: float) -> None:
        self.do(self.age(seconds * 1e6))

    @rule(seconds=pauses, which=st.sampled_from([SHARED, OWN]))
    def cool_down(self, seconds: float, which: str) -> None:
        booked = self.shared if which == SHARED else self.own
        lasts = min(seconds, 3600) * 1e6
        earliest = self.do(self.now()) + lasts
        self.do(self.workers[0].cool_down(which, seconds))
        booked.cool_down(earliest, self.do(self.now()) + lasts)

    @rule(rate=rates)
    def set_rate(self, rate: Rate) -> None:
        self.do(self.workers[0].set_rate(SHARED, rate))
        self.shared.change(rate)

    @rule()
    def unset_rate(self) -> None:
        self.do(self.workers[0].unset_rate(SHARED))
        self.shared.change(self.default)

    def teardown(self) -> None:
        self.do(self.redis.aclose())
        self.runner.close()

    # How it is done

    async def now(self) -> float:
        seconds, micros = map(int, await self.redis.time())
        return seconds * 1e6 + micros + self.ahead

    async def acquired(self, worker: Limiter, wanted: int, *, both: bool) -> Permits:
        more: dict[str, Rate | None] = {OWN: self.own.rate} if both else {}
        concerned = [self.shared, self.own] if both else [self.shared]
        cooldowns = [await self.seen_cooldown_end(name) for name in (SHARED, *more)]
        earliest = await self.now()
        found = await worker.acquire(SHARED, wanted, more)
        grant = Grant(found.granted, earliest, await self.now())
        assert 0 <= found.granted <= wanted
        if found.granted:
            late = grant.latest - self.ahead
            assert max(cooldowns) <= late, "the pump would pass over a batch that can get a permit"
            for booked in concerned:
                booked.record(grant)
        else:
            self.assert_wait(found.wait * 1e6, concerned, earliest)
        return found

    def assert_wait(self, wait: float, concerned: list[Booked], now: float) -> None:
        """The limiter never asks for a wait beyond the first permit there can be."""
        cooldown = max(booked.cooldown_end[1] for booked in concerned) - now
        interval = max(booked.rate.interval_us for booked in concerned)
        assert 0 < wait <= max(cooldown, interval) + 2

    async def seen_cooldown_end(self, name: str) -> float:
        """Return the time until which pump.lua asks for no permit."""
        fields = decode_hash(await self.redis.hgetall(f"cc:gcra:{name}"))
        return max(float(fields.get("next", 0)), float(fields.get("hush", 0))) - BURST_US

    async def age(self, by: float) -> None:
        self.ahead += by
        for name in (SHARED, OWN):
            key = f"cc:gcra:{name}"
            fields = decode_hash(await self.redis.hgetall(key))
            for moment in {"tat", "next", "hush"} & fields.keys():
                earlier = float(fields[moment]) - by
                await self.redis.hset(key, moment, f"{earlier:.0f}")
            if (left := await self.redis.pttl(key)) > 0:
                await self.redis.pexpire(key, max(0, round(left - by / 1000)))
