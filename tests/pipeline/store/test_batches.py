"""Which worker may work on a batch, and how it moves: the scripts on a real server."""

import asyncio

import pytest

from pipeline.domain.batch import Lane, Unit, WaitCounter
from pipeline.domain.errors import StaleLeaseError
from pipeline.domain.models import BatchState
from pipeline.store import batches
from tests.pipeline.ledger import (
    LEASE,
    Ledger,
    a_campaign,
    assert_sound,
    claim,
    fulfilled,
    held,
    lapse,
    links_of,
    make_due,
    people,
    placed,
    pump,
    retried,
    submit,
    taken,
)
from tests.support.redis import Redis
from tests.support.server_clock import server_time

# Leases


async def test_one_of_many_claims_of_the_same_batch_is_granted(ledger: Ledger) -> None:
    await submit(ledger, a_campaign())
    (unit,) = await pump(ledger)
    claims = await asyncio.gather(*(claim(ledger, unit, f"w{i}") for i in range(30)))
    assert len([each for each in claims if each]) == 1


async def test_a_claim_whose_reply_was_lost_is_granted_again(ledger: Ledger) -> None:
    await submit(ledger, a_campaign())
    (unit,) = await pump(ledger)
    first = await claim(ledger, unit)
    assert first == await claim(ledger, unit) or first is not None
    again = await claim(ledger, unit)
    assert again is not None
    assert first is not None
    assert again.token == first.token


async def test_an_earlier_dispatch_is_void_after_a_later_one(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    (early,) = await pump(ledger)
    await make_due(ledger, serial)
    (late,) = await pump(ledger)
    assert await claim(ledger, early) is None
    assert await claim(ledger, late) is not None


async def test_a_later_dispatch_waits_for_the_lease_of_an_earlier_one(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    assert await taken(ledger, serial) is not None
    await make_due(ledger, serial)
    (late,) = await pump(ledger)
    assert await claim(ledger, late, "late") is None
    await lapse(ledger, serial)
    (later,) = await pump(ledger)
    assert await claim(ledger, later, "later") is not None


async def test_a_counter_that_rolled_back_with_lost_data_brings_no_lease_back(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    lost = await taken(ledger, serial, nonce="lost")
    # As a server does that lost its last second: it knows nothing of that claim.
    await ledger.redis.hdel(f"cc:{serial}:b:1", "tok", "lu", "fence")
    other = await taken(ledger, serial, nonce="other")
    assert lost.token.partition(":")[0] == other.token.partition(":")[0]
    with pytest.raises(StaleLeaseError):
        await ledger.batches.order_intent(lost, po_number="P", payload_hash="h", nonce="n")
    assert await ledger.batches.renew([(lost.unit, lost.token)], LEASE) == [False]


async def test_a_job_that_runs_again_after_its_work_does_not_shorten_the_wait(
    ledger: Ledger,
) -> None:
    await submit(ledger, a_campaign())
    (unit,) = await pump(ledger)
    first = await claim(ledger, unit)
    assert first is not None
    await ledger.batches.release(first, delay=600, counter=WaitCounter.FAILS)
    assert await claim(ledger, unit, "again") is None
    assert await pump(ledger) == []


async def test_a_lapsed_lease_is_taken_over_and_its_holder_can_settle_nothing(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    slow = await placed(ledger, serial)
    await lapse(ledger, serial)
    quick = await taken(ledger, serial, nonce="quick")
    assert quick.token != slow.token
    with pytest.raises(StaleLeaseError):
        await ledger.batches.release(slow, delay=0)
    with pytest.raises(StaleLeaseError):
        await ledger.batches.hold(slow, "order_failed", missing=1, reread=0)
    with pytest.raises(StaleLeaseError):
        await ledger.batches.links_received(slow, links_of(serial, 1, 1))
    with pytest.raises(StaleLeaseError):
        await ledger.batches.order_placed(slow, "another-order")
    with pytest.raises(StaleLeaseError):
        await ledger.batches.order_intent(slow, po_number="P", payload_hash="h", nonce="n")
    with pytest.raises(StaleLeaseError):
        await ledger.batches.distributed(slow, delay=0)
    assert await ledger.batches.renew([(slow.unit, slow.token)], LEASE) == [False]
    assert await ledger.batches.links(serial, 1) == []
    await assert_sound(ledger, serial)


async def test_an_expired_lease_that_no_other_worker_has_is_renewed(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    found = await taken(ledger, serial)
    await lapse(ledger, serial)
    assert await ledger.batches.renew([(found.unit, found.token)], LEASE) == [True]
    assert await pump(ledger) == []


async def test_a_late_heartbeat_of_the_order_lane_leaves_the_batch_in_one_due_index(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    ordering = await taken(ledger, serial)
    await ledger.batches.order_intent(ordering, po_number="P", payload_hash="h", nonce="n")
    await ledger.batches.order_placed(ordering, "o-1")
    # The heartbeat was put together before the order was placed and arrives after it.
    assert await ledger.batches.renew([(ordering.unit, ordering.token)], LEASE) == [True]
    await assert_sound(ledger, serial)


async def test_an_ordered_batch_is_never_given_back_to_the_order_lane(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    ordering = await taken(ledger, serial)
    await ledger.batches.order_intent(ordering, po_number="P", payload_hash="h", nonce="n")
    await ledger.batches.order_placed(ordering, "o-1")
    # The reply to order_placed was lost, so this worker still thinks that it is ordering.
    await ledger.batches.release(ordering, delay=0)
    await assert_sound(ledger, serial)
    (unit,) = await pump(ledger)
    assert unit.lane is Lane.READ


async def test_nothing_of_a_paused_campaign_can_be_claimed(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    (unit,) = await pump(ledger)
    await ledger.campaigns.steer(serial, "pause")
    assert await claim(ledger, unit) is None
    await ledger.campaigns.steer(serial, "resume")
    assert await claim(ledger, unit) is not None


async def test_a_batch_of_an_uncommitted_campaign_cannot_be_claimed(ledger: Ledger) -> None:
    assert await claim(ledger, Unit("7", 1, Lane.ORDER, 0)) is None
    assert await ledger.redis.dbsize() == 0


async def test_a_batch_that_is_woken_during_work_is_due_when_it_is_released(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    found = await placed(ledger, serial)
    assert await ledger.batches.wake(serial, 1)
    assert await pump(ledger) == []
    await ledger.batches.release(found, delay=600, counter=WaitCounter.POLLS)
    assert [unit.batch for unit in await pump(ledger)] == [1]
    assert not await ledger.batches.wake(serial, 99)


async def test_a_waiting_batch_is_woken_at_once(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    await ledger.batches.release(await taken(ledger, serial), delay=600)
    assert await pump(ledger) == []
    assert await ledger.batches.wake(serial, 1)
    assert len(await pump(ledger)) == 1


async def test_waits_are_counted_by_name_and_a_readable_order_ends_the_doubt(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    await ledger.batches.release(await placed(ledger, serial), delay=0, counter=WaitCounter.ODD)
    await ledger.batches.release(await taken(ledger, serial), delay=0, counter=WaitCounter.ODD)
    batch = await ledger.batches.read(serial, 1)
    assert batch is not None
    assert (batch.order.odd, batch.order.polls) == (2, 0)
    assert batch.order.odd_since_ms > 0
    # Ten minutes of doubt are counted from its beginning, not from a 404 of an hour ago.
    await ledger.batches.release(await taken(ledger, serial), delay=0, counter=WaitCounter.POLLS)
    batch = await ledger.batches.read(serial, 1)
    assert batch is not None
    assert (batch.order.odd, batch.order.odd_since_ms, batch.order.polls) == (0, 0, 1)


# Orders


async def test_an_order_intent_is_never_overwritten(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    found = await taken(ledger, serial)

    async def intent(po: str, content: str, nonce: str) -> int | None:
        return await ledger.batches.order_intent(
            found, po_number=po, payload_hash=content, nonce=nonce
        )

    assert await intent("PO-1", "a", "n1") == 0
    assert await intent("PO-1", "a", "n1") == 0, "a repeated call counts once"
    assert await intent("PO-1", "a", "n2") == 1
    assert await intent("PO-2", "a", "n3") is None
    assert await intent("PO-1", "b", "n3") is None
    batch = await ledger.batches.read(serial, 1)
    assert batch is not None
    assert (batch.order.po_number, batch.order.payload_hash, batch.order.posts) == ("PO-1", "a", 2)


async def test_only_the_last_post_can_be_taken_back_and_only_once(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    found = await taken(ledger, serial)
    for nonce in ("n1", "n2"):
        await ledger.batches.order_intent(found, po_number="P", payload_hash="h", nonce=nonce)
    for nonce in ("n1", "n2", "n2"):
        await ledger.batches.order_unsent(found, nonce)
    batch = await ledger.batches.read(serial, 1)
    assert batch is not None
    assert batch.order.posts == 1
    assert (
        await ledger.batches.order_intent(found, po_number="P", payload_hash="h", nonce="n3") == 1
    )


async def test_an_order_is_counted_once_however_often_it_is_placed(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(3)])
    found = await placed(ledger, serial)
    await ledger.batches.order_placed(found, "order-1-1")
    await assert_sound(ledger, serial)
    assert await ledger.counted(serial, "l:ordered", "l:awaited", "b:ordered") == [3, 3, 1]


# Links


async def test_link_k_is_stored_as_recipient_ks_and_sealed(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(3)])
    await fulfilled(ledger, serial)
    assert await ledger.batches.links(serial, 1) == links_of(serial, 1, 3)
    assert b"claim.example" not in (await ledger.redis.get(f"cc:{serial}:k:1") or b"")
    await assert_sound(ledger, serial)


async def test_a_link_seen_in_any_earlier_batch_stores_nothing(
    ledger: Ledger, redis: Redis
) -> None:
    first = await submit(ledger, a_campaign("a"), [people(3)])
    await fulfilled(ledger, first)
    second = await submit(ledger, a_campaign("b"), [people(3)])
    found = await placed(ledger, second)
    before = sorted([key async for key in redis.scan_iter(match="cc:links:*")])
    fresh = [*links_of(second, 1, 2), links_of(first, 1, 3)[1]]
    assert await ledger.batches.links_received(found, fresh) == 2
    assert await ledger.batches.links(second, 1) == []
    assert sorted([key async for key in redis.scan_iter(match="cc:links:*")]) == before
    # The lease is still there to hold the batch with, and the links of the first are untouched.
    await ledger.batches.hold(
        found, "links_seen_before", evidence=b"raw answer", missing=0, reread=0
    )
    assert await ledger.batches.evidence(second, 1) == b"raw answer"
    assert b"raw answer" not in (await redis.get(f"cc:{second}:raw:1") or b"")
    assert await ledger.batches.links(first, 1) == links_of(first, 1, 3)
    await assert_sound(ledger, second)


async def test_links_can_be_received_once_only(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    found = await placed(ledger, serial)
    assert await ledger.batches.links_received(found, ["https://x.example/1"]) is None
    with pytest.raises(StaleLeaseError):
        await ledger.batches.links_received(found, ["https://x.example/2"])
    assert await ledger.batches.links(serial, 1) == ["https://x.example/1"]
    await assert_sound(ledger, serial)


async def test_a_short_order_that_comes_right_is_counted_right(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(3)])
    await held(ledger, await placed(ledger, serial), "links_short", missing=1)
    await assert_sound(ledger, serial)
    assert await ledger.counted(serial, "l:awaited", "l:missing") == [2, 1]
    assert await retried(ledger, serial, held=True) == (0, 1)
    found = await taken(ledger, serial)
    assert found.unit.lane is Lane.READ
    await ledger.batches.links_received(found, links_of(serial, 1, 3))
    await assert_sound(ledger, serial)
    assert await ledger.counted(serial, "l:received", "l:missing", "l:awaited") == [3, 0, 0]


async def test_the_links_of_an_overdue_order_are_taken_from_the_slow_read(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    found = await placed(ledger, serial)
    await ledger.batches.hold(found, "order_overdue", missing=0, reread=900)
    await assert_sound(ledger, serial)
    assert await pump(ledger) == []
    found = await taken(ledger, serial)
    assert found.batch.state is BatchState.HELD
    await ledger.batches.release(found, delay=900)
    await assert_sound(ledger, serial)
    await ledger.batches.links_received(await taken(ledger, serial), links_of(serial, 1, 2))
    await assert_sound(ledger, serial)


async def test_a_batch_that_only_a_person_can_move_is_not_due(ledger: Ledger) -> None:
    """Else `worker --burst` would wait for it for ever."""
    serial = await submit(ledger, a_campaign())
    due = ledger.batches.next_due

    async def due_now() -> bool:
        soonest = await due()
        return soonest is not None and soonest <= 0

    await ledger.campaigns.steer(serial, "pause")
    assert await due() is None
    await ledger.campaigns.steer(serial, "resume")
    assert await due_now()
    await ledger.campaigns.block(serial, Lane.ORDER, "credentials", "", probe_after=0)
    assert await due() is None
    began = await server_time(ledger.redis)
    await ledger.campaigns.block(serial, Lane.ORDER, "insufficient_funds", "", probe_after=6000)
    probed_in = await due()
    took = await server_time(ledger.redis) - began
    assert probed_in is not None
    assert 6000 - took - 0.01 <= probed_in <= 6000
    await ledger.campaigns.steer(serial, "resume")
    await ledger.campaigns.block(serial, Lane.SEND, "smtp_auth", "", probe_after=0)
    assert await due_now(), "another lane goes on"
    await ledger.campaigns.steer(serial, "pause")
    await ledger.campaigns.steer(serial, "cancel")
    assert await due_now(), "a cancelled campaign is brought to its end, whatever stopped it"


async def test_the_next_due_batch_is_known_in_seconds(ledger: Ledger) -> None:
    assert await ledger.batches.next_due() is None
    serial = await submit(ledger, a_campaign())
    found = await taken(ledger, serial)
    began = await server_time(ledger.redis)
    await ledger.batches.release(found, delay=10_000)
    soonest = await ledger.batches.next_due()
    took = await server_time(ledger.redis) - began
    assert soonest is not None
    assert 10_000 - took - 0.01 <= soonest <= 10_000


async def test_held_batches_are_numbered_by_reason_those_that_are_read_on_too(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    assert await ledger.batches.held_numbers(serial) == {}
    for number, reason in ((4, "links_short"), (2, "order_failed"), (1, "links_short")):
        await held(ledger, await placed(ledger, serial, number), reason)
    await placed(ledger, serial, 5)
    late = await placed(ledger, serial, 3)
    await ledger.batches.hold(late, "order_overdue", missing=0, reread=2 * LEASE)
    assert await ledger.batches.held_numbers(serial) == {
        "links_short": [1, 4],
        "order_failed": [2],
        "order_overdue": [3],
    }
    monkeypatch.setattr(batches, "_FIRST", 1)
    first = await ledger.batches.held_numbers(serial)
    assert first.pop("order_overdue") == [3], "it is looked at later than any that is not held"
    assert sum(map(len, first.values())) == 1
