"""The figures of the installation: each is read from where it is kept."""

from dataclasses import replace

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store import keys
from pipeline.store.fleet.readings import LIMIT_NAMES, Readings
from pipeline.store.fleet.workers import Workers
from pipeline.store.suppressions import Suppressions
from tests.pipeline.ledger import Ledger, a_campaign, held, submit, taken
from tests.support.redis import Redis

LONG = 600.0  # seconds that do not pass meanwhile, however busy the machine is


@pytest.fixture
def readings(redis: Redis) -> Readings:
    return Readings(redis)


async def test_an_empty_installation_has_figures_too(readings: Readings) -> None:
    fleet = await readings.fleet()
    assert fleet == replace(
        fleet,
        active=[],
        finished=[],
        workers=[],
        submits=0,
        breakers=dict.fromkeys(ChannelName, (0, 0.0)),
        permits=dict.fromkeys(LIMIT_NAMES, 0.0),
        suppressed=0,
        leases=0,
        counted={},
    )
    assert await readings.campaigns([], fleet) == ([], 0)


async def test_the_fleet_is_read_as_it_stands(
    readings: Readings, ledger: Ledger, redis: Redis
) -> None:
    workers, measurements = Workers(redis), Measurements()
    measurements.attempt(ChannelName.EMAIL, FactKind.SENT)
    for name in ("alive", "dead"):
        await workers.report(name, measurements, leases=3)
    now, _ = await redis.time()
    await redis.zadd(keys.WORKERS, {"alive": now + LONG, "dead": now - LONG})
    await redis.zadd(keys.SUBMIT_QUEUE, {"job": 1, "other": 2})
    await ledger.limiter.cool_down("orders", LONG)
    for _ in range(5):
        await ledger.limiter.trip("email", "smtp_421", first=LONG, longest=LONG)
    suppressions = Suppressions(redis, ledger.vault)
    await suppressions.add_all(ChannelName.SMS, ["+14155552671", "+14155552672"], "operator")

    fleet = await readings.fleet()
    past = fleet.now - now

    assert fleet.workers == ["alive"]
    assert (fleet.submits, fleet.suppressed, fleet.leases) == (2, 2, 3)
    assert fleet.counted == {"attempts|email|sent": 1}
    assert LONG - past - 1 <= fleet.permits["orders"] <= LONG
    assert fleet.permits["reads"] == 0
    failures, open_for = fleet.breakers[ChannelName.EMAIL]
    assert failures == 5
    assert LONG - past - 1 <= open_for <= LONG
    assert fleet.breakers[ChannelName.SMS] == (0, 0)


async def test_campaigns_come_with_when_their_lanes_are_due(
    readings: Readings, ledger: Ledger, redis: Redis
) -> None:
    one, two, three = [await submit(ledger, a_campaign(f"c{n}"), n) for n in (1, 2, 3)]
    await redis.zrem(keys.ACTIVE, one, three)
    await redis.zadd(keys.due_key(two, Lane.ORDER), {"1": 5000, "2": 7000})
    await redis.zadd(keys.worker_queue_key("w"), {"a": 1, "b": 2})

    fleet = replace(await readings.fleet(), workers=["w", "without a queue"])
    assert (fleet.active, fleet.finished) == ([two], [three, one])
    [found, other], queued = await readings.campaigns([two, one], fleet)

    assert queued == 2
    assert found.due == {Lane.ORDER: 5.0}
    assert found.snapshot.serial == two
    assert found.snapshot.now_ms == round(fleet.now * 1000)
    assert found.snapshot.batches()["planned"] == 2
    assert other.snapshot.batches()["planned"] == 1


async def test_a_campaign_that_was_removed_meanwhile_is_left_out(
    readings: Readings, ledger: Ledger, redis: Redis
) -> None:
    gone, kept = [await submit(ledger, a_campaign(f"c{n}")) for n in (1, 2)]
    fleet = await readings.fleet()
    await redis.delete(keys.campaign_key(gone))
    found, _ = await readings.campaigns([gone, kept], fleet)
    assert [campaign.snapshot.serial for campaign in found] == [kept]


async def test_every_counter_that_is_shown_is_read(readings: Readings, ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    await held(ledger, await taken(ledger, serial), "order_failed")
    [[found], _] = await readings.campaigns([serial], await readings.fleet())
    whole = await ledger.campaigns.snapshot(serial)
    for shown in (found.snapshot, whole):
        assert shown.held_reasons() == {"order_failed": 1}
    assert found.snapshot.deliveries() == whole.deliveries()
    assert found.snapshot.batches() == whole.batches()
    assert found.snapshot.people() == whole.people()
    assert found.snapshot.links() == whole.links()
