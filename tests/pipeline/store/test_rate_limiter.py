"""Rate limits and breakers: the server's clock counts, and these tests look at no other."""

import asyncio
from dataclasses import dataclass
from itertools import pairwise

import pytest

from pipeline.domain.rate import Rate
from pipeline.store.rate_limiter import Limiter
from tests.pipeline.ledger import open_ledger
from tests.support.redis import Redis
from tests.support.waiting import wait_until


def a_limiter(redis: Redis, **rates: str) -> Limiter:
    return open_ledger(redis, **rates).limiter


@dataclass(frozen=True, slots=True)
class Grant:
    """So many permits, at some moment between the two (seconds of the server's clock)."""

    permits: int
    earliest: float
    latest: float


async def clock(redis: Redis) -> float:
    seconds, micros = await redis.time()
    return float(seconds + micros / 1e6)


async def greedy(redis: Redis, limiter: Limiter, wanted: int, seconds: float) -> list[Grant]:
    """Take whatever there is, as fast as possible; what was refused is noted as well."""
    grants, asked = [], await clock(redis)
    end = asked + seconds
    while asked < end:
        found = await limiter.acquire("email", wanted)
        assert found.granted > 0 or found.wait > 0
        grants.append(Grant(found.granted, asked, await clock(redis)))
        asked = await clock(redis)
    return grants


def assert_never_more(grants: list[Grant], rate: float) -> None:
    """Over any window there is at most what the rate gives in it, and the burst."""
    burst = max(1.0, rate / 10)
    taken = sorted((grant for grant in grants if grant.permits), key=lambda grant: grant.earliest)
    for first in range(len(taken)):
        total, latest = 0, 0.0
        for last in range(first, len(taken)):
            total += taken[last].permits
            latest = max(latest, taken[last].latest)
            window = latest - taken[first].earliest
            assert total <= window * rate + burst + 0.01


def assert_nothing_wasted(asked: list[Grant], total: int, wanted: int, rate: float) -> None:
    """
    While a worker asks again and again, all workers together get all permits that come due.

    Permits beyond one handful between two of its requests may be lost: they are more than it can
    be given at once, or than a burst has.
    """
    handful = min(wanted, max(1.0, rate / 10)) / rate
    late = sum(
        max(0.0, later.latest - sooner.earliest - handful) for sooner, later in pairwise(asked)
    )
    due = (asked[-1].earliest - asked[0].latest - late) * rate
    assert total >= due - 1


@pytest.mark.parametrize(("rate", "wanted"), [("20/s", 1), ("200/s", 7), ("2000/s", 1000)])
async def test_over_any_window_no_more_is_sent_than_allowed(
    redis: Redis, rate: str, wanted: int
) -> None:
    limiter = a_limiter(redis, email=rate)
    many = await asyncio.gather(*(greedy(redis, limiter, wanted, 0.4) for _ in range(4)))
    grants = [grant for each in many for grant in each]
    per_second = float(rate.split("/", maxsplit=1)[0])
    assert_never_more(grants, per_second)
    total = sum(grant.permits for grant in grants)
    for each in many:
        assert_nothing_wasted(each, total, wanted, per_second)


async def test_low_rates_give_one_permit_however_many_are_wanted(redis: Redis) -> None:
    limiter = a_limiter(redis, email="1/h")
    started = await clock(redis)
    assert (await limiter.acquire("email", 400)).granted == 1
    refused = await limiter.acquire("email", 400)
    assert refused.granted == 0
    assert 3600 - (await clock(redis) - started) <= refused.wait <= 3600


async def test_after_the_returned_wait_there_is_a_permit(redis: Redis) -> None:
    limiter = a_limiter(redis, email="4/s")
    while (refused := await limiter.acquire("email")).granted:
        pass
    await asyncio.sleep(refused.wait)
    assert (await limiter.acquire("email")).granted == 1


async def test_several_limiters_give_all_or_nothing(redis: Redis) -> None:
    limiter = a_limiter(redis, email="100/s")
    own = {"1:email": Rate.parse("1/h")}
    assert (await limiter.acquire("email", 5, own)).granted == 1
    before = await redis.hget("cc:gcra:email", "tat")
    for _ in range(20):
        assert (await limiter.acquire("email", 5, own)).granted == 0
    assert await redis.hget("cc:gcra:email", "tat") == before, "the refused cost nothing"
    assert (await limiter.acquire("email", 5)).granted > 0
    assert (await limiter.acquire("email", 1, {"1:email": None})).granted == 1


async def test_one_of_two_limiters_that_cools_down_stops_both(redis: Redis) -> None:
    limiter = a_limiter(redis, email="unlimited")
    started = await clock(redis)
    await limiter.cool_down("1:email", 3000)
    refused = await limiter.acquire("email", 5, {"1:email": Rate.parse("unlimited")})
    assert refused.granted == 0
    assert refused.wait >= 3000 - (await clock(redis) - started)
    assert (await limiter.acquire("email", 5)).granted == 5


async def test_a_rate_set_at_run_time_wins_until_it_is_unset(redis: Redis) -> None:
    limiter = a_limiter(redis, email="unlimited")
    await limiter.set_rate("email", Rate.parse("1/h"))
    assert (await limiter.acquire("email", 9)).granted == 1
    assert (await limiter.acquire("email", 9)).granted == 0
    assert (await limiter.rates())["email"] == (Rate.parse("1/h"), True)
    assert await limiter.unset_rate("email")
    assert not await limiter.unset_rate("email")
    assert (await limiter.rates())["email"] == (Rate.parse("unlimited"), False)
    await limiter.set_rate("email", Rate.parse("unlimited"))
    assert (await a_limiter(redis, email="1/h").acquire("sms", 9)).granted == 9


@pytest.mark.parametrize("rate", ["unlimited", "50/s", "1000/s", "6/m"])
async def test_a_cooldown_stops_every_worker_and_ends(redis: Redis, rate: str) -> None:
    limiter, other = a_limiter(redis, email=rate), a_limiter(redis, email=rate, sms=rate)
    started = await clock(redis)
    await limiter.cool_down("email", 3000)
    await limiter.cool_down("email", 0.01)
    refused = await other.acquire("email", 10)
    assert refused.granted == 0
    assert refused.wait >= 3000 - (await clock(redis) - started)

    started = await clock(redis)
    await limiter.cool_down("sms", 0.5)

    async def is_over() -> bool:
        found = await other.acquire("sms", 10)
        assert found.granted or 0 < found.wait <= 0.5
        return found.granted > 0

    await wait_until(is_over)
    assert await clock(redis) - started >= 0.5


async def test_a_retry_after_is_clamped_to_an_hour(redis: Redis) -> None:
    limiter = a_limiter(redis, orders="5/s")
    await limiter.cool_down("orders", 10**9)
    assert 3500 < (await limiter.acquire("orders")).wait < 3602


# The breaker


async def trip(limiter: Limiter) -> float:
    return await limiter.trip("email", "smtp_unreachable", threshold=3, first=500, longest=3000)


async def half_open(redis: Redis) -> None:
    """Let the breaker's time be over."""
    await redis.hset("cc:breaker:email", "until", "1")


async def test_the_breaker_opens_at_its_threshold_and_stops_the_channel(redis: Redis) -> None:
    limiter = a_limiter(redis)
    assert [await trip(limiter) for _ in range(2)] == [0.0, 0.0]
    assert (await limiter.acquire("email")).granted == 1
    assert await trip(limiter) == 500
    assert (await limiter.acquire("email")).granted == 0
    breaker = await limiter.breaker("email")
    assert (breaker.failures, breaker.reason) == (3, "smtp_unreachable")
    assert breaker.until_ms > 0


async def test_the_open_time_doubles_with_every_failure_after_it_up_to_a_limit(
    redis: Redis,
) -> None:
    limiter = a_limiter(redis)
    silences = []
    for _ in range(8):
        silences.append(await trip(limiter))
        await half_open(redis)
    assert silences == [0, 0, 500, 1000, 2000, 3000, 3000, 3000]


async def test_all_connections_that_break_at_once_are_one_failure(redis: Redis) -> None:
    limiter = a_limiter(redis)
    silences = [await trip(limiter) for _ in range(30)]
    assert max(silences) <= 500
    await half_open(redis)
    assert await trip(limiter) == 1000


async def test_the_first_success_closes_the_breaker(redis: Redis) -> None:
    limiter = a_limiter(redis)
    for _ in range(3):
        await trip(limiter)
    await limiter.close_breaker("email")
    assert (await limiter.breaker("email")).failures == 0
    assert await trip(limiter) == 0


@pytest.mark.parametrize("new", ["50/s", "unlimited"])
async def test_a_rate_set_at_run_time_counts_at_once_whatever_was_booked(
    redis: Redis, new: str
) -> None:
    limiter = a_limiter(redis, email="1/h")
    assert (await limiter.acquire("email")).granted == 1
    assert (await limiter.acquire("email")).wait > 3000

    await limiter.set_rate("email", Rate.parse(new))

    assert (await limiter.acquire("email")).granted == 1


async def test_a_cooldown_outlasts_a_new_rate(redis: Redis) -> None:
    limiter = a_limiter(redis, email="1/h")
    await limiter.cool_down("email", 3000)

    await limiter.set_rate("email", Rate.parse("unlimited"))

    assert (await limiter.acquire("email")).granted == 0
