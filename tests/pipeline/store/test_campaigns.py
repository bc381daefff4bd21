"""Committed campaigns: found, read and steered."""

import pytest

from pipeline.store import campaigns
from pipeline.store.keys import recipients_key
from tests.pipeline.ledger import Ledger, a_campaign, people, submit
from tests.support.redis import Redis

ALLOWED_AFTERWARDS = {b"cc:serial"}


async def keys(redis: Redis) -> set[bytes]:
    return {key async for key in redis.scan_iter()}


async def lapse_staging(redis: Redis, campaign_id: str = "c") -> None:
    entry = (await redis.hget("cc:staging", campaign_id) or b"").decode()
    serial, nonce, _ = entry.split()
    await redis.hset("cc:staging", campaign_id, f"{serial} {nonce} 1")


async def test_recipients_are_found_and_read_back(ledger: Ledger) -> None:
    batches = [people(3), people(2, first=3)]
    serial = await submit(ledger, a_campaign(), batches)
    snapshot = await ledger.campaigns.snapshot(serial)
    assert await ledger.campaigns.locate(snapshot, "r-2") == (1, 2)
    assert await ledger.campaigns.locate(snapshot, "r-3") == (2, 0)
    assert await ledger.campaigns.locate(snapshot, "r-5") is None
    assert await ledger.campaigns.recipients(serial, 2) == batches[1]
    assert await ledger.campaigns.definition(serial) == a_campaign()


async def test_nothing_personal_is_stored_in_clear(ledger: Ledger, redis: Redis) -> None:
    await submit(ledger, a_campaign(), [people(2, phone=True)])
    dump = b"".join([key + (await redis.dump(key) or b"") async for key in redis.scan_iter()])
    for text in (b"person0", b"Person 0", b"+1555", b"{{ link }}", b"r-0"):
        assert text not in dump


async def test_an_ended_campaign_cannot_be_steered(ledger: Ledger) -> None:
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


async def test_people_are_there_until_they_are_removed(ledger: Ledger, redis: Redis) -> None:
    serial = await submit(ledger, a_campaign())
    assert await ledger.campaigns.has_recipients(serial, 1)
    assert not await ledger.campaigns.has_recipients(serial, 2)
    await redis.delete(recipients_key(serial, 1))
    assert not await ledger.campaigns.has_recipients(serial, 1)
