"""Reads orders in the sandbox: the stage takes exactly the ordered links, or none."""

import pytest

from pipeline.domain.models import BatchState
from tests.pipeline.ledger import Ledger, a_campaign, assert_sound, people, pump, submit
from tests.pipeline.stages.stage_worker import SandboxWorker, StartWorker
from tests.support.redis import Redis


async def three(ledger: Ledger, name: str = "c") -> str:
    return await submit(ledger, a_campaign(name), [people(3)])


async def ten_minutes_later(ledger: Ledger, serial: str) -> None:
    """Move the time of the first doubtful answer ten minutes back."""
    since = int(await ledger.redis.hget(f"cc:{serial}:b:1", "odd:at") or 0)
    assert since
    await ledger.redis.hset(f"cc:{serial}:b:1", "odd:at", str(since - 601_000))


async def assert_held(worker: SandboxWorker, serial: str, reason: str) -> None:
    ledger, batch = worker.parts.ledger, await worker.batch(serial)
    assert (batch.state, batch.hold.reason) == (BatchState.HELD, reason)
    assert await ledger.batches.links(serial, 1) == []
    await assert_sound(ledger, serial)


async def test_an_order_that_is_not_ready_is_read_again_until_it_is(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    await worker.work_once(serial)
    for polls in (2, 3):
        await worker.work_once(serial)
        batch = await worker.batch(serial)
        assert (batch.state, batch.order.polls) == (BatchState.ORDERED, polls)
        await assert_sound(ledger, serial)
    worker.complete()
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.FULFILLED
    assert await ledger.counted(serial, "l:received", "l:assigned", "l:awaited") == [3, 3, 0]
    await assert_sound(ledger, serial)


async def test_missing_links_are_waited_for_and_then_held_with_the_evidence(
    ledger: Ledger, start: StartWorker, redis: Redis
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(short_order=1.0)
    await worker.work_once(serial)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).order.odd == 2
    await ten_minutes_later(ledger, serial)
    await worker.work_once(serial)
    await assert_held(worker, serial, "links_short")
    assert await ledger.counted(serial, "l:missing", "l:awaited") == [1, 2]
    evidence = await ledger.batches.evidence(serial, 1)
    assert b"claim.sandbox.example" in evidence
    assert b"claim.sandbox.example" not in (await redis.get(f"cc:{serial}:raw:1") or b"")


async def test_links_that_come_late_are_taken(ledger: Ledger, start: StartWorker) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(short_order=1.0, short_reads=1)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.ORDERED
    await worker.work_once(serial)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is not BatchState.ORDERED
    assert len(set(await ledger.batches.links(serial, 1))) == 3
    await assert_sound(ledger, serial)


async def test_a_link_twice_in_one_order_is_held_at_once(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(duplicate_link=1.0)
    await worker.work_once(serial)
    await assert_held(worker, serial, "links_duplicate")


async def test_a_link_of_an_earlier_order_is_held_and_stays_where_it_was(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, first = await start(), await three(ledger)
    await worker.work_once(first)
    second = await three(ledger, "d")
    worker.faults(repeated_link=1.0)
    await worker.work_once(second)
    await assert_held(worker, second, "links_seen_before")
    assert len(await ledger.batches.links(first, 1)) == 3
    await ledger.batches.retry(second, 1, failed=False, uncertain=False, held=True, adopt=False)
    await worker.work_once(second)
    await assert_held(worker, second, "links_seen_before")


@pytest.mark.parametrize("fault", ["extra_urls", "links_twice"])
async def test_other_fields_of_an_order_are_ignored(
    ledger: Ledger, start: StartWorker, fault: str
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(**{fault: 1.0})
    await worker.work_once(serial)
    assert await ledger.batches.links(serial, 1) == worker.links()["CC-c-00001"]


async def test_a_dead_order_is_held_and_its_links_are_missing(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(order_fails=1.0)
    await worker.work_once(serial)
    await assert_held(worker, serial, "order_failed")
    assert await ledger.counted(serial, "l:ordered", "l:missing", "l:awaited") == [3, 3, 0]
    assert await pump(ledger) == []


async def test_a_status_that_nobody_knows_is_waited_for(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(status_unknown=1.0, unknown_reads=1)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.ORDERED
    await worker.work_once(serial)
    await worker.work_once(serial)
    assert len(await ledger.batches.links(serial, 1)) == 3


async def test_an_order_that_cannot_be_found_is_read_again_for_ten_minutes(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    await worker.work_once(serial)
    worker.faults(read_404=1.0)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).order.odd == 1
    await ten_minutes_later(ledger, serial)
    await worker.work_once(serial)
    await assert_held(worker, serial, "order_not_found")


async def test_a_404_long_after_another_starts_the_ten_minutes_again(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    await worker.work_once(serial)
    worker.faults(read_404=1.0)
    await worker.work_once(serial)
    await ten_minutes_later(ledger, serial)
    worker.faults()
    await worker.work_once(serial)
    worker.faults(read_404=1.0)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.ORDERED


async def test_an_overdue_order_is_held_still_read_and_taken_in_the_end(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start(async_above=0, async_delay=None, overdue=0.001)
    serial = await three(ledger)
    await worker.work_once(serial)
    await worker.work_once(serial)
    await assert_held(worker, serial, "order_overdue")
    assert await pump(ledger) == [], "slowly"
    await worker.work_once(serial)
    await assert_held(worker, serial, "order_overdue")
    worker.complete()
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.FULFILLED
    await assert_sound(ledger, serial)


@pytest.mark.parametrize("fault", ["read_500", "read_429"])
async def test_an_order_is_read_again_after_the_api_was_unavailable(
    ledger: Ledger, start: StartWorker, fault: str
) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    await worker.work_once(serial)
    worker.complete()
    worker.faults(**{fault: 1.0}, retry_after="seconds", retry_after_seconds=3000)
    await worker.work_once(serial)
    batch = await worker.batch(serial)
    assert (batch.state, batch.order.fails) == (BatchState.ORDERED, 1)
    silent = (await ledger.limiter.acquire("reads")).granted == 0
    assert silent == (fault == "read_429")


# Cancelled campaigns


async def test_an_open_order_of_a_cancelled_campaign_is_read_to_its_end(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    await worker.work_once(serial)
    await ledger.campaigns.steer(serial, "cancel")
    await worker.work_once(serial)
    assert "fin" not in await ledger.counters(serial)
    worker.complete()
    await worker.work_once(serial)
    await worker.work_once(serial)
    assert await ledger.counted(serial, "l:spare", "l:assigned", "b:cancelled") == [3, 0, 1]
    assert await ledger.batches.links(serial, 1) == worker.links()["CC-c-00001"]
    assert "fin" in await ledger.counters(serial)
    assert worker.parts.channel.sent == []
    await assert_sound(ledger, serial)


@pytest.mark.parametrize("turns_before", [1, 2])
async def test_an_order_that_never_comes_does_not_keep_a_cancelled_campaign_open(
    ledger: Ledger, start: StartWorker, turns_before: int
) -> None:
    worker = await start(async_above=0, async_delay=None, overdue=0.001)
    serial = await three(ledger)
    for _ in range(turns_before):
        await worker.work_once(serial)
    await ledger.campaigns.steer(serial, "cancel")
    await worker.work_once(serial)
    assert (await worker.batch(serial)).note == "order_overdue"
    assert await ledger.counted(serial, "l:missing", "l:awaited") == [3, 0]
    assert "fin" in await ledger.counters(serial)
    await assert_sound(ledger, serial)


async def test_a_dead_order_ends_a_cancelled_campaign(ledger: Ledger, start: StartWorker) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    worker.faults(order_fails=1.0)
    await worker.work_once(serial)
    await ledger.campaigns.steer(serial, "cancel")
    worker.complete()
    await worker.work_once(serial)
    assert (await worker.batch(serial)).note == "order_failed"
    assert "fin" in await ledger.counters(serial)
    await assert_sound(ledger, serial)


async def test_refused_credentials_do_not_make_a_cancelled_campaign_ask_without_end(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(async_above=0, async_delay=None), await three(ledger)
    await worker.work_once(serial)
    await ledger.campaigns.steer(serial, "cancel")
    worker.faults(credentials_disabled=True, token_expires_early=1.0)
    await worker.work_once(serial)
    assert await pump(ledger) == []
    await assert_sound(ledger, serial)
