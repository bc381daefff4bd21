"""An interrupted order gets the next permit when permits are few."""

import asyncio
from collections.abc import Sequence

import pytest

from pipeline.domain.rate import FleetLimit
from pipeline.stages.permits import order_permit, permit
from tests.pipeline.ledger import Ledger, open_ledger
from tests.support.redis import Redis
from tests.support.waiting import wait_until


@pytest.fixture
async def slow(redis: "Redis") -> Ledger:
    """Two orders a second, and the first was placed just now."""
    ledger = open_ledger(redis, orders="2/s", reads="2/s")
    assert await order_permit(ledger.limiter, interrupted=False) == 0
    return ledger


async def test_an_interrupted_order_gets_the_next_permit(redis: "Redis") -> None:
    slow = open_ledger(redis, orders="1/s")
    assert await order_permit(slow.limiter, interrupted=False) == 0
    for _ in range(20):
        if await the_interrupted_one_was_next(slow):
            return
        await slow.redis.delete("cc:gcra:orders", "cc:gcra:orders:new")
        assert await order_permit(slow.limiter, interrupted=False) == 0
    pytest.fail("it silenced nobody")


async def the_interrupted_one_was_next(slow: Ledger) -> bool:
    """
    Let all wait for the next permit and check who got it; return whether that was in time.

    On a busy machine another caller may get a permit before the interrupted one has asked for
    silence, or the silence may end before its permit.
    """
    booked = float(await slow.redis.hget("cc:gcra:orders", "tat") or 0)
    new = [asyncio.create_task(order_permit(slow.limiter, interrupted=False)) for _ in range(20)]
    await asyncio.sleep(0)
    first = asyncio.create_task(order_permit(slow.limiter, interrupted=True))
    try:
        silent_till = await silence(slow, first)
        assert silent_till is None or silent_till >= booked, "the silence ends before its turn"
        unseen = float(await slow.redis.hget("cc:gcra:orders", "tat") or 0) != booked
        await wait_until(lambda: first.done() or got_one(new))
        got, overtaken = got_one([first]), got_one(new)
        if silent_till is None or unseen or silent_till <= await now(slow.redis) * 1e6:
            return False
        assert (got, overtaken) == (True, False)
        return True
    finally:
        for task in (first, *new):
            task.cancel()
        await asyncio.gather(first, *new, return_exceptions=True)


async def silence(slow: Ledger, first: "asyncio.Task[float]") -> float | None:
    """Return until when, in µs, *first* stopped new orders; None if it came too late."""

    async def was_asked_for() -> bool:
        return first.done() or bool(await slow.redis.exists("cc:gcra:orders:new"))

    await wait_until(was_asked_for)
    found = await slow.redis.hget("cc:gcra:orders:new", "hush")
    return None if found is None else float(found)


def got_one(tasks: Sequence["asyncio.Task[float]"]) -> bool:
    return any(task.done() and task.result() == 0 for task in tasks)


async def now(redis: "Redis") -> float:
    seconds, micros = await redis.time()
    return float(seconds + micros / 1e6)


async def test_new_orders_go_on_soon_after_an_interrupted_one(slow: Ledger) -> None:
    assert await order_permit(slow.limiter, interrupted=True) == 0
    found = [await order_permit(slow.limiter, interrupted=False) for _ in range(2)]
    assert found == [0, 0]


async def test_a_caller_that_comes_back_later_still_gets_the_permit(redis: "Redis") -> None:
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
    await ledger.limiter.cool_down("orders", 3600)
    assert await order_permit(ledger.limiter, interrupted=True) > 3500
    assert await redis.pttl("cc:gcra:orders:new") <= 61_000


async def test_reads_stop_no_orders(slow: Ledger) -> None:
    await slow.limiter.cool_down("orders:new", 3000)
    assert await permit(slow.limiter, FleetLimit.READS) == 0
