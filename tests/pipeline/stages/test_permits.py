"""Who gets the next permit to order, where there are few."""

import asyncio

import pytest
from redis.asyncio import Redis

from pipeline.stages.permits import order_permit, permit
from tests.pipeline.ledger import Ledger, open_ledger


@pytest.fixture
async def slow(redis: "Redis") -> Ledger:
    """Two orders a second, and the first was placed just now."""
    ledger = open_ledger(redis, orders="2/s", reads="2/s")
    assert await order_permit(ledger.limiter, interrupted=False) == 0
    return ledger


async def test_an_interrupted_order_gets_the_next_permit_of_all_who_wait(slow: Ledger) -> None:
    new = [asyncio.create_task(order_permit(slow.limiter, interrupted=False)) for _ in range(20)]
    await asyncio.sleep(0)
    assert await order_permit(slow.limiter, interrupted=True) == 0
    assert not [task for task in new if task.done() and task.result() == 0]
    for task in new:
        task.cancel()
    await asyncio.gather(*new, return_exceptions=True)


async def test_new_orders_go_on_soon_after_it(slow: Ledger) -> None:
    assert await order_permit(slow.limiter, interrupted=True) == 0
    found = [await order_permit(slow.limiter, interrupted=False) for _ in range(2)]
    assert found == [0, 0]


async def test_who_must_come_back_later_finds_the_permit_still_there(redis: "Redis") -> None:
    ledger = open_ledger(redis, orders="6/m")
    assert await order_permit(ledger.limiter, interrupted=False) == 0
    wait = await order_permit(ledger.limiter, interrupted=True)
    assert 9 < wait <= 10
    silent_ms = await redis.pttl("cc:gcra:orders:new") - 1000  # kept for a second longer
    assert wait * 1000 < silent_ms <= (wait + 1) * 1000 + 2  # rounded up, twice


async def test_a_long_wait_silences_new_orders_for_a_minute_at_most(redis: "Redis") -> None:
    ledger = open_ledger(redis, orders="unlimited")
    await ledger.limiter.hush("orders", 3600)
    assert await order_permit(ledger.limiter, interrupted=True) > 3500
    assert await redis.pttl("cc:gcra:orders:new") <= 61_000


async def test_reading_is_nobodys_business(slow: Ledger) -> None:
    await slow.limiter.hush("orders:new", 60)
    assert await permit(slow.limiter, "reads") == 0
