"""Staging, the commit that makes it real, and steering afterwards."""

import asyncio
from dataclasses import replace

import pytest

from pipeline.domain.errors import InputError
from pipeline.store import campaigns
from pipeline.store.campaigns import Busy, Committed, Staging, Totals
from pipeline.store.keys import STAGING, recipients_key
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
    assert await ledger.campaigns.sweep() == 0, "it may still be alive"
    assert len(await keys(redis)) > 3
    await lapse_staging(redis)
    assert await ledger.campaigns.sweep() == 1
    assert await keys(redis) == ALLOWED_AFTERWARDS


async def test_a_sweep_that_was_killed_is_finished_by_the_next(
    ledger: Ledger, redis: Redis
) -> None:
    staging, _ = await stage(ledger, a_campaign(), [people(3)])
    await redis.sadd("cc:discarded", staging.serial)
    await redis.delete("cc:staging")
    assert await ledger.campaigns.sweep() == 1
    assert await keys(redis) == ALLOWED_AFTERWARDS


async def test_the_sweep_touches_no_committed_campaign(ledger: Ledger, redis: Redis) -> None:
    for number in range(12):
        await submit(ledger, a_campaign(f"c{number}"))
    before = await keys(redis)
    other, _ = await stage(ledger, a_campaign("other"), [people(1)])
    assert other.serial == "13"
    await ledger.campaigns.discard(other)
    await ledger.campaigns.discard(other)
    one, _ = await stage(ledger, a_campaign("one"), [people(1)])
    await lapse_staging(redis, "one")
    await ledger.campaigns.sweep()
    assert one.serial == "14"
    assert await keys(redis) == before


async def test_a_second_submit_waits_for_the_first_and_takes_over_a_dead_one(
    ledger: Ledger, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.campaigns._PATIENCE_MS", 600_000)
    first, totals = await stage(ledger, a_campaign(), [people(2)], nonce="a")
    busy = await ledger.campaigns.begin("c", "b", expected_rows=1)
    assert isinstance(busy, Busy)
    assert 0 < busy.seconds <= 600
    await lapse_staging(redis)
    second = await ledger.campaigns.begin("c", "b", expected_rows=1)
    assert isinstance(second, Staging)
    assert second.serial != first.serial
    # The first was only slow. It cannot write or commit any more, and what it wrote is gone.
    with pytest.raises(InputError, match="run it again"):
        await ledger.campaigns.stage(first, 2, people(1, first=2), 2, "1")
    with pytest.raises(InputError, match="run it again"):
        await ledger.campaigns.commit(first, a_campaign(), totals)
    await ledger.campaigns.discard(first)
    assert not [key for key in await keys(redis) if key.startswith(b"cc:1:")]
    assert await redis.hexists("cc:staging", "c"), "the second is not disturbed"


async def test_only_one_of_many_concurrent_submits_may_stage(ledger: Ledger) -> None:
    opened = await asyncio.gather(
        *(ledger.campaigns.begin("c", f"n{i}", expected_rows=1) for i in range(10))
    )
    assert len([each for each in opened if isinstance(each, Staging)]) == 1


async def test_staging_and_committing_may_be_repeated(ledger: Ledger, redis: Redis) -> None:
    campaign = a_campaign()
    await stage(ledger, campaign, [people(2)])
    staging, totals = await stage(ledger, campaign, [people(2)])
    first = await ledger.campaigns.commit(staging, campaign, totals)
    before = await redis.hgetall(f"cc:{first.serial}")
    await pump(ledger)
    assert await ledger.campaigns.commit(staging, campaign, totals) == first
    assert await redis.hgetall(f"cc:{first.serial}") == before
    assert await ledger.campaigns.begin("c", "x", expected_rows=1) == Committed(first.serial)
    await assert_sound(ledger, first.serial)


async def test_what_lost_a_staged_batch_is_not_committed(ledger: Ledger, redis: Redis) -> None:
    """As after a power cut, on a server that acknowledges what is not on disk yet."""
    staging, totals = await stage(ledger, a_campaign(), [people(2), people(2, first=2)])
    await redis.delete("cc:1:b:2", "cc:1:r:2")
    await redis.zrem("cc:1:due:o", "2")
    with pytest.raises(InputError, match="run it again"):
        await ledger.campaigns.commit(staging, a_campaign(), totals)
    assert await submit(ledger, a_campaign(), [people(2), people(2, first=2)]) == "1"


async def test_a_discard_after_the_commit_removes_nothing(ledger: Ledger, redis: Redis) -> None:
    campaign = a_campaign()
    staging, totals = await stage(ledger, campaign, [people(2)])
    await ledger.campaigns.commit(staging, campaign, totals)
    before = await keys(redis)
    # The reply to the commit was lost, so the submit cleans up after itself.
    await ledger.campaigns.discard(staging)
    assert await keys(redis) == before


async def test_an_id_that_stands_in_an_earlier_batch_is_found(ledger: Ledger) -> None:
    staging, _ = await stage(ledger, a_campaign(), [people(3)])
    twice = [*people(2, first=3), *people(1)]
    assert await ledger.campaigns.stage(staging, 2, twice, 3, "111") == 2


async def test_recipients_are_found_and_read_back(ledger: Ledger) -> None:
    batches = [people(3), people(2, first=3)]
    serial = await submit(ledger, a_campaign(), batches)
    snapshot = await ledger.campaigns.snapshot(serial)
    assert await ledger.campaigns.locate(snapshot, "r-2") == (1, 2)
    assert await ledger.campaigns.locate(snapshot, "r-3") == (2, 0)
    assert await ledger.campaigns.locate(snapshot, "r-5") is None
    assert await ledger.campaigns.recipients(serial, 2) == batches[1]
    assert await ledger.campaigns.definition(serial) == a_campaign()


@pytest.mark.parametrize("buckets", [1, 2, 3, 64, 100, 15_625, 2**31 - 1, 2**32])
async def test_whoever_was_staged_is_found_in_whichever_number_of_buckets(
    ledger: Ledger, buckets: int
) -> None:
    opened = await ledger.campaigns.begin("c", "n", expected_rows=buckets * 64)
    assert isinstance(opened, Staging)
    assert opened.buckets == buckets
    batches = [people(100), people(100, first=100), people(7, first=200)]
    for number, batch in enumerate(batches):
        plan, first = "1" * len(batch), number * 100
        assert await ledger.campaigns.stage(opened, number + 1, batch, first, plan) is None
    totals = Totals(recipients=207, deliveries=207, batches=3, batch_size=100, content="")
    await ledger.campaigns.commit(opened, a_campaign(), totals)
    snapshot = await ledger.campaigns.snapshot(opened.serial)
    found = [await ledger.campaigns.locate(snapshot, f"r-{number}") for number in range(208)]
    assert found == [(number // 100 + 1, number % 100) for number in range(207)] + [None]


async def test_positions_are_kept_in_digits_however_large(ledger: Ledger, redis: Redis) -> None:
    opened = await ledger.campaigns.begin("c", "n", expected_rows=1)
    assert isinstance(opened, Staging)
    first = 123_456_789_012_300
    for _ in range(2):
        assert await ledger.campaigns.stage(opened, 1, people(2), first, "11") is None
    found = await redis.hvals("cc:1:x:0")
    assert sorted(found) == [b"123456789012300", b"123456789012301"]


async def test_nothing_personal_rests_in_clear(ledger: Ledger, redis: Redis) -> None:
    await submit(ledger, a_campaign(), [people(2, phone=True)])
    dump = b"".join([key + (await redis.dump(key) or b"") async for key in redis.scan_iter()])
    for text in (b"person0", b"Person 0", b"+1555", b"{{ link }}", b"r-0"):
        assert text not in dump


async def test_what_has_ended_can_no_longer_be_steered(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    assert not await ledger.campaigns.steer("99", "pause")
    assert not await ledger.campaigns.steer("99", "cancel")
    assert await ledger.campaigns.steer(serial, "pause")
    assert await ledger.campaigns.steer(serial, "pause")
    assert await ledger.campaigns.halted([serial, "99"]) == {serial}
    assert await ledger.campaigns.steer(serial, "cancel")
    for verb in ("pause", "resume", "cancel"):
        assert not await ledger.campaigns.steer(serial, verb)
    assert await ledger.campaigns.halted([serial]) == {serial}
    assert await ledger.campaigns.halted([]) == set()


async def test_many_campaigns_are_read_in_the_order_in_which_they_are_asked_for(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "_AT_ONCE", 2)
    serials = [await submit(ledger, a_campaign(f"c{number}"), number + 1) for number in range(5)]
    found = await ledger.campaigns.snapshots([*reversed(serials)])
    assert [snapshot.campaign_id for snapshot in found] == ["c4", "c3", "c2", "c1", "c0"]
    assert [snapshot.batch_count for snapshot in found] == [5, 4, 3, 2, 1]
    one = await ledger.campaigns.snapshot(serials[-1])
    assert found[0].fields == one.fields
    assert 0 < found[0].now_ms <= found[-1].now_ms <= one.now_ms
    assert await ledger.campaigns.snapshots([]) == []


async def test_a_submit_is_pending_until_its_commit_and_alive_until_it_lapses(
    ledger: Ledger, redis: Redis
) -> None:
    assert await ledger.campaigns.pending("c") is None
    staging, totals = await stage(ledger, a_campaign(), [people(1)])
    pending = await ledger.campaigns.pending("c")
    assert pending is not None
    lapses = pending.lapses_ms
    entry = await redis.hget(STAGING, "c")
    assert lapses == int(entry.split()[-1])
    assert replace(pending, now_ms=lapses - 1).alive
    assert not replace(pending, now_ms=lapses).alive
    await lapse_staging(redis)
    pending = await ledger.campaigns.pending("c")
    assert pending is not None
    assert not pending.alive
    await ledger.campaigns.commit(staging, a_campaign(), totals)
    assert await ledger.campaigns.pending("c") is None


async def test_people_are_there_until_they_are_removed(ledger: Ledger, redis: Redis) -> None:
    serial = await submit(ledger, a_campaign())
    assert await ledger.campaigns.has_recipients(serial, 1)
    assert not await ledger.campaigns.has_recipients(serial, 2)
    await redis.delete(recipients_key(serial, 1))
    assert not await ledger.campaigns.has_recipients(serial, 1)
