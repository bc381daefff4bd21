"""What somebody had begun goes before what nobody has touched, orders above all."""

from typing import Any

import pytest

from pipeline.domain.batch import Lane, Unit, WaitCounter
from pipeline.store.batches import Claim
from pipeline.store.keys import due_key
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    assert_sound,
    claim,
    fulfilled,
    held,
    make_due,
    pump,
    retried,
    submit,
)
from tests.support.redis import Redis

MANY = 300  # more than the pump looks at in one index


async def post(ledger: Ledger, found: Claim) -> None:
    assert await intend(ledger, found) is not None


async def intend(ledger: Ledger, found: Claim, nonce: str = "n") -> int | None:
    batch = found.unit.batch
    return await ledger.batches.order_intent(
        found, po_number=f"PO-{batch}", payload_hash="h", nonce=nonce
    )


async def dead(ledger: Ledger, serial: str, number: int, lane: Lane = Lane.ORDER) -> None:
    """Let leases and dispatches of a batch lapse just now: due, and later than all others."""
    seconds, _ = await ledger.redis.time()
    await ledger.redis.hset(f"cc:{serial}:b:{number}", "lu", "1")
    await ledger.redis.zadd(due_key(serial, lane), {str(number): seconds * 1000})


async def posted(ledger: Ledger, serial: str, number: int) -> list[Claim]:
    """Let a worker post the orders of the first batches, and die before it has an answer."""
    found = [await claimed(ledger, unit) for unit in await pump(ledger, number)]
    for each in found:
        await post(ledger, each)
        await dead(ledger, serial, each.unit.batch)
    return found


async def claimed(ledger: Ledger, unit: Unit) -> Claim:
    found = await claim(ledger, unit)
    assert found is not None
    return found


async def next_batches(ledger: Ledger, number: int) -> list[int]:
    return [unit.batch for unit in await pump(ledger, number)]


async def test_an_interrupted_order_goes_before_all_that_were_due_earlier(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), MANY)
    [first, second] = await posted(ledger, serial, 2)
    assert await next_batches(ledger, 1) == [first.unit.batch]
    assert await next_batches(ledger, 1) == [second.unit.batch]
    assert not {first.unit.batch, second.unit.batch} & set(await next_batches(ledger, 10))
    await assert_sound(ledger, serial)


async def test_a_live_lease_and_a_delay_are_waited_out(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    [at_work, failed] = [await claimed(ledger, unit) for unit in await pump(ledger, 2)]
    await post(ledger, at_work)
    await post(ledger, failed)
    await ledger.batches.release(failed, delay=60, counter=WaitCounter.FAILS)
    assert not {at_work.unit.batch, failed.unit.batch} & set(await next_batches(ledger, 10))
    await assert_sound(ledger, serial)


async def test_an_order_of_uncertain_outcome_goes_first_once_its_delay_is_over(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    [failed] = [await claimed(ledger, unit) for unit in await pump(ledger, 1)]
    await post(ledger, failed)
    await ledger.batches.release(failed, delay=0, counter=WaitCounter.FAILS)
    assert await next_batches(ledger, 1) == [failed.unit.batch]
    await assert_sound(ledger, serial)


async def test_a_post_that_never_left_gives_no_precedence(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    [unit] = await pump(ledger, 1)
    found = await claimed(ledger, unit)
    await post(ledger, found)
    await ledger.batches.order_unsent(found, "n")
    await ledger.batches.release(found, delay=0)
    assert await next_batches(ledger, 1) != [unit.batch]
    await assert_sound(ledger, serial)


async def test_a_placed_order_leaves_nothing_behind(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    [unit] = await pump(ledger, 1)
    found = await claimed(ledger, unit)
    await post(ledger, found)
    reading = await ledger.batches.order_placed(found, "order-1")
    await ledger.batches.release(reading, delay=60)
    assert not await ledger.redis.exists(f"cc:{serial}:begun")
    batch = await ledger.batches.read(serial, unit.batch)
    assert batch is not None
    assert (batch.order.posts, batch.order.interrupted) == (1, False)


async def test_a_held_order_goes_first_once_it_is_tried_again(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    [found] = await posted(ledger, serial, 1)
    assert found.unit.batch == 1
    [unit] = await pump(ledger, 1)
    await held(ledger, await claimed(ledger, unit), "duplicate_without_id")
    await assert_sound(ledger, serial)
    assert await retried(ledger, serial, held=True) == (0, 1)
    assert await next_batches(ledger, 1) == [1]
    await assert_sound(ledger, serial)


async def test_a_busy_worker_gets_begun_batches_only(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    left = await posted(ledger, serial, 3)

    async def on_top(spare: int) -> list[int]:
        found = await ledger.batches.pump(
            order=0, read=0, send=0, dispatch_seconds=600, spare_slots=spare
        )
        return [unit.batch for unit in found]

    assert await on_top(0) == []
    assert await on_top(2) == [each.unit.batch for each in left[:2]]
    assert await on_top(2) == [left[2].unit.batch]
    assert await on_top(2) == []


async def test_campaigns_are_still_served_in_turn(ledger: Ledger) -> None:
    troubled = await submit(ledger, a_campaign("a"), 6)
    await posted(ledger, troubled, 5)
    other = await submit(ledger, a_campaign("b"), 6)
    served = [(await pump(ledger, 1))[0].serial for _ in range(8)]
    assert sorted(served[:4]) == sorted(served[4:]) == [troubled] * 2 + [other] * 2


@pytest.mark.parametrize("what", ["a worker died", "a failure was recorded"])
async def test_only_a_post_without_a_result_counts_as_interrupted(
    ledger: Ledger, what: str
) -> None:
    serial = await submit(ledger, a_campaign())
    [found] = await posted(ledger, serial, 1)
    if what == "a failure was recorded":
        await ledger.batches.release(found, delay=0, counter=WaitCounter.FAILS)
    again = await claimed(ledger, (await pump(ledger))[0])
    assert again.batch.order.posts == 1
    assert again.batch.order.interrupted == (what == "a worker died")


async def test_while_an_interrupted_order_waits_for_a_permit_no_new_one_is_given_out(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    [found] = await posted(ledger, serial, 1)
    await ledger.limiter.cool_down("orders:new", 3000)
    assert await next_batches(ledger, 5) == [found.unit.batch]
    assert await next_batches(ledger, 5) == []


async def test_where_nothing_was_begun_its_score_is_not_asked_for(
    ledger: Ledger, redis: "Redis"
) -> None:
    await submit(ledger, a_campaign(), 2)
    await redis.config_resetstat()
    await pump(ledger, 1)
    stats: dict[str, Any] = await redis.info("commandstats")
    assert "cmdstat_zmscore" not in stats


async def test_a_batch_that_was_half_sent_goes_before_all_that_were_due_earlier(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), 12)
    for number in range(1, 12):
        await ledger.batches.release(await fulfilled(ledger, serial, number), delay=0)
    await make_due(ledger, serial)
    [unit] = await ledger.batches.pump(order=0, read=0, send=1, dispatch_seconds=600)
    await claimed(ledger, unit)
    await dead(ledger, serial, unit.batch, lane=Lane.SEND)
    again = await ledger.batches.pump(order=0, read=0, send=1, dispatch_seconds=600)
    assert [each.batch for each in again] == [unit.batch]
    await assert_sound(ledger, serial)
