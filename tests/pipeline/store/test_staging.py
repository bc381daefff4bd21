"""Staging, and the commit that makes it real."""

import asyncio
from dataclasses import replace

import pytest

from pipeline.domain.errors import InputError
from pipeline.store.keys import STAGING
from pipeline.store.staging import (
    Committed,
    Staging,
    StagingBusy,
    Totals,
    plan_of,
    planned_deliveries,
)
from tests.pipeline.ledger import Ledger, a_campaign, assert_sound, people, pump, stage, submit
from tests.support.redis import Redis

ALLOWED_AFTERWARDS = {b"cc:serial"}


async def keys(redis: Redis) -> set[bytes]:
    return {key async for key in redis.scan_iter()}


async def lapse_staging(redis: Redis, campaign_id: str = "c") -> None:
    entry = (await redis.hget("cc:staging", campaign_id) or b"").decode()
    serial, nonce, _ = entry.split()
    await redis.hset("cc:staging", campaign_id, f"{serial} {nonce} 1")


async def test_a_submit_killed_before_its_commit_leaves_nothing_after_the_sweep(
    ledger: Ledger, redis: Redis
) -> None:
    await stage(ledger, a_campaign(), [people(3), people(2, first=3)])
    assert await ledger.staging.sweep() == 0, "it may still be alive"
    assert len(await keys(redis)) > 3
    await lapse_staging(redis)
    assert await ledger.staging.sweep() == 1
    assert await keys(redis) == ALLOWED_AFTERWARDS


async def test_a_sweep_that_was_killed_is_finished_by_the_next(
    ledger: Ledger, redis: Redis
) -> None:
    staging, _ = await stage(ledger, a_campaign(), [people(3)])
    await redis.sadd("cc:discarded", staging.serial)
    await redis.delete("cc:staging")
    assert await ledger.staging.sweep() == 1
    assert await keys(redis) == ALLOWED_AFTERWARDS


async def test_the_sweep_touches_no_committed_campaign(ledger: Ledger, redis: Redis) -> None:
    for number in range(12):
        await submit(ledger, a_campaign(f"c{number}"))
    before = await keys(redis)
    other, _ = await stage(ledger, a_campaign("other"), [people(1)])
    assert other.serial == "13"
    await ledger.staging.discard(other)
    await ledger.staging.discard(other)
    one, _ = await stage(ledger, a_campaign("one"), [people(1)])
    await lapse_staging(redis, "one")
    await ledger.staging.sweep()
    assert one.serial == "14"
    assert await keys(redis) == before


async def test_a_second_submit_waits_for_the_first_and_takes_over_a_dead_one(
    ledger: Ledger, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.staging._LAPSE_MS", 600_000)
    first, totals = await stage(ledger, a_campaign(), [people(2)], nonce="a")
    busy = await ledger.staging.begin("c", "b", expected_rows=1)
    assert isinstance(busy, StagingBusy)
    assert 0 < busy.seconds <= 600
    await lapse_staging(redis)
    second = await ledger.staging.begin("c", "b", expected_rows=1)
    assert isinstance(second, Staging)
    assert second.serial != first.serial
    # The first was only slow. It cannot write or commit any more, and what it wrote is gone.
    with pytest.raises(InputError, match="run it again"):
        await ledger.staging.stage(first, 2, people(1, first=2), 2, "1")
    with pytest.raises(InputError, match="run it again"):
        await ledger.staging.commit(first, a_campaign(), totals)
    await ledger.staging.discard(first)
    assert not [key for key in await keys(redis) if key.startswith(b"cc:1:")]
    assert await redis.hexists("cc:staging", "c"), "the second is not disturbed"


async def test_only_one_of_many_concurrent_submits_may_stage(ledger: Ledger) -> None:
    opened = await asyncio.gather(
        *(ledger.staging.begin("c", f"n{i}", expected_rows=1) for i in range(10))
    )
    assert len([each for each in opened if isinstance(each, Staging)]) == 1


async def test_staging_and_committing_may_be_repeated(ledger: Ledger, redis: Redis) -> None:
    campaign = a_campaign()
    await stage(ledger, campaign, [people(2)])
    staging, totals = await stage(ledger, campaign, [people(2)])
    first = await ledger.staging.commit(staging, campaign, totals)
    before = await redis.hgetall(f"cc:{first.serial}")
    await pump(ledger)
    assert await ledger.staging.commit(staging, campaign, totals) == first
    assert await redis.hgetall(f"cc:{first.serial}") == before
    assert await ledger.staging.begin("c", "x", expected_rows=1) == Committed(first.serial)
    await assert_sound(ledger, first.serial)


async def test_a_campaign_that_lost_a_staged_batch_is_not_committed(
    ledger: Ledger, redis: Redis
) -> None:
    """As after a power cut, on a server that acknowledges what is not on disk yet."""
    staging, totals = await stage(ledger, a_campaign(), [people(2), people(2, first=2)])
    await redis.delete("cc:1:b:2", "cc:1:r:2")
    await redis.zrem("cc:1:due:o", "2")
    with pytest.raises(InputError, match="run it again"):
        await ledger.staging.commit(staging, a_campaign(), totals)
    assert await submit(ledger, a_campaign(), [people(2), people(2, first=2)]) == "1"


async def test_a_discard_after_the_commit_removes_nothing(ledger: Ledger, redis: Redis) -> None:
    campaign = a_campaign()
    staging, totals = await stage(ledger, campaign, [people(2)])
    await ledger.staging.commit(staging, campaign, totals)
    before = await keys(redis)
    # The reply to the commit was lost, so the submit cleans up after itself.
    await ledger.staging.discard(staging)
    assert await keys(redis) == before


async def test_an_id_that_stands_in_an_earlier_batch_is_found(ledger: Ledger) -> None:
    staging, _ = await stage(ledger, a_campaign(), [people(3)])
    twice = [*people(2, first=3), *people(1)]
    assert await ledger.staging.stage(staging, 2, twice, 3, "111") == 2


@pytest.mark.parametrize("buckets", [1, 2, 3, 64, 100, 15_625, 2**31 - 1, 2**32])
async def test_every_staged_recipient_is_found_with_any_number_of_buckets(
    ledger: Ledger, buckets: int
) -> None:
    opened = await ledger.staging.begin("c", "n", expected_rows=buckets * 64)
    assert isinstance(opened, Staging)
    assert opened.buckets == buckets
    batches = [people(100), people(100, first=100), people(7, first=200)]
    for number, batch in enumerate(batches):
        plan, first = "1" * len(batch), number * 100
        assert await ledger.staging.stage(opened, number + 1, batch, first, plan) is None
    totals = Totals(recipients=207, deliveries=207, batches=3, batch_size=100, content="")
    await ledger.staging.commit(opened, a_campaign(), totals)
    snapshot = await ledger.campaigns.snapshot(opened.serial)
    found = [await ledger.campaigns.locate(snapshot, f"r-{number}") for number in range(208)]
    assert found == [(number // 100 + 1, number % 100) for number in range(207)] + [None]


async def test_positions_are_kept_in_digits_however_large(ledger: Ledger, redis: Redis) -> None:
    opened = await ledger.staging.begin("c", "n", expected_rows=1)
    assert isinstance(opened, Staging)
    first = 123_456_789_012_300
    for _ in range(2):
        assert await ledger.staging.stage(opened, 1, people(2), first, "11") is None
    found = await redis.hvals("cc:1:x:0")
    assert sorted(found) == [b"123456789012300", b"123456789012301"]


async def test_a_submit_is_pending_until_its_commit_and_alive_until_it_lapses(
    ledger: Ledger, redis: Redis
) -> None:
    assert await ledger.staging.pending("c") is None
    staging, totals = await stage(ledger, a_campaign(), [people(1)])
    pending = await ledger.staging.pending("c")
    assert pending is not None
    lapses = pending.lapses_ms
    entry = await redis.hget(STAGING, "c")
    assert lapses == int(entry.split()[-1])
    assert replace(pending, now_ms=lapses - 1).alive
    assert not replace(pending, now_ms=lapses).alive
    await lapse_staging(redis)
    pending = await ledger.staging.pending("c")
    assert pending is not None
    assert not pending.alive
    await ledger.staging.commit(staging, a_campaign(), totals)
    assert await ledger.staging.pending("c") is None


def test_a_batch_begins_with_one_delivery_each_or_one_for_each_channel() -> None:
    plan = plan_of(a_campaign(channels=("email", "sms")), [*people(1), *people(2, phone=True)])
    assert planned_deliveries(plan, "first") == 3
    assert planned_deliveries(plan, "all") == 5
