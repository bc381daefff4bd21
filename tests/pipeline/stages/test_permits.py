"""Who gets the next permit to order, where there are few."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from pipeline.stages.permits import order_permit, permit
from tests.pipeline.ledger import Ledger, open_ledger
from tests.support.waiting import wait_until


@pytest.fixture
async def slow(redis: "Redis") -> Ledger:
    """Two orders a second, and the first was placed just now."""
    ledger = open_ledger(redis, orders="2/s", reads="2/s")
    assert await order_permit(ledger.limiter, interrupted=False) == 0
    return ledger


async def test_an_interrupted_order_gets_the_next_permit_of_all_who_wait(redis: "Redis") -> None:
    slow = open_ledger(redis, orders="1/s")
    assert await order_permit(slow.limiter, interrupted=False) == 0
    got, overtaken, fair = False, False, False
    for _ in range(20):
        got, overtaken, fair = await one_interrupted_and_many_new(slow)
        if fair:
            break
        await slow.redis.delete("cc:gcra:orders", "cc:gcra:orders:new")
        assert await order_permit(slow.limiter, interrupted=False) == 0
    assert fair, "it silenced nobody"
    assert (got, overtaken) == (True, False)


async def one_interrupted_and_many_new(slow: Ledger) -> tuple[bool, bool, bool]:
    """
    Let all wait for the next permit; return whether the one got it, one of the many, and fairly.

    On a busy machine somebody may get a permit before the interrupted one has asked for silence,
    or the silence may be over before its turn.
    """
    booked = await slow.redis.hget("cc:gcra:orders", "tat")  # type: ignore[misc]
    new = [asyncio.create_task(order_permit(slow.limiter, interrupted=False)) for _ in range(20)]
    await asyncio.sleep(0)
    first = asyncio.create_task(order_permit(slow.limiter, interrupted=True))

    async def has_asked_for_silence() -> bool:
        return first.done() or bool(await slow.redis.exists("cc:gcra:orders:new"))

    await wait_until(has_asked_for_silence)
    silent_till = float(await slow.redis.hget("cc:gcra:orders:new", "hush") or 0)  # type: ignore[misc]
    fair = await slow.redis.hget("cc:gcra:orders", "tat") == booked  # type: ignore[misc]
    await wait_until(lambda: first.done() or got_one(new))
    fair = fair and silent_till > await now(slow.redis) * 1e6
    got, overtaken = got_one([first]), got_one(new)
    for task in (first, *new):
        task.cancel()
    await asyncio.gather(first, *new, return_exceptions=True)
    return got, overtaken, fair


def got_one(tasks: Sequence["asyncio.Task[float]"]) -> bool:
    return any(task.done() and task.result() == 0 for task in tasks)


async def now(redis: "Redis") -> float:
    seconds, micros = await redis.time()
    return float(seconds + micros / 1e6)


async def test_new_orders_go_on_soon_after_it(slow: Ledger) -> None:
    assert await order_permit(slow.limiter, interrupted=True) == 0
    found = [await order_permit(slow.limiter, interrupted=False) for _ in range(2)]
    assert found == [0, 0]


async def test_who_must_come_back_later_finds_the_permit_still_there(redis: "Redis") -> None:
    ledger = open_ledger(redis, orders="2/m")
    began = await now(redis)
    assert await order_permit(ledger.limiter, interrupted=False) == 0
    wait = await order_permit(ledger.limiter, interrupted=True)
    silent_ms = await redis.pttl("cc:gcra:orders:new") - 1000  # kept for a second longer
    took = await now(redis) - began
    assert 30 - took <= wait <= 30
    assert (wait + 1 - took) * 1000 <= silent_ms <= (wait + 1) * 1000 + 2  # rounded up, twice


async def test_a_long_wait_silences_new_orders_for_a_minute_at_most(redis: "Redis") -> None:
    ledger = open_ledger(redis, orders="unlimited")
    await ledger.limiter.hush("orders", 3600)
    assert await order_permit(ledger.limiter, interrupted=True) > 3500
    assert await redis.pttl("cc:gcra:orders:new") <= 61_000


async def test_reading_is_nobodys_business(slow: Ledger) -> None:
    await slow.limiter.hush("orders:new", 3000)
    assert await permit(slow.limiter, "reads") == 0
