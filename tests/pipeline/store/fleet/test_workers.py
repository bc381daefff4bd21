"""Workers are counted while they live, and nothing stays of those that do not."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.domain.metrics import Measurements
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store import keys
from pipeline.store.fleet.server import Server
from pipeline.store.fleet.workers import ALIVE_SECONDS, Workers
from tests.support.redis import Redis

PASSED = round(ALIVE_SECONDS * 1000)


@pytest.fixture
def workers(redis: Redis) -> Workers:
    return Workers(redis)


async def beat_at(redis: Redis, worker: str) -> int:
    """Return when a worker last gave a sign of life, in whole ms that have begun then."""
    score = await redis.zscore(keys.WORKERS, worker)
    assert score is not None
    return int(float(score) * 1000)


async def test_a_worker_is_alive_for_three_heartbeats(workers: Workers, redis: Redis) -> None:
    before = await Server(redis).now_ms()
    await workers.beat("w")
    beat = await beat_at(redis, "w")
    assert before <= beat <= await Server(redis).now_ms()
    assert await workers.alive(beat) == 1
    assert await workers.alive(beat + PASSED) == 1
    assert await workers.alive(beat + PASSED + 1) == 0


async def test_a_worker_that_left_is_not_counted_but_its_counts_stay(
    workers: Workers, redis: Redis
) -> None:
    measurements = Measurements()
    measurements.attempt(ChannelName.EMAIL, FactKind.SENT)
    for name in ("w", "other"):
        await workers.beat(name)
        await workers.report(name, measurements, leases=3)
        await redis.zadd(keys.worker_queue_key(name), {"job": 1})
    await workers.leave("w")
    await workers.leave("w")
    assert await redis.zrange(keys.WORKERS, 0, -1) == [b"other"]
    assert await redis.hgetall(keys.LEASES) == {b"other": b"3"}
    assert await redis.exists(keys.worker_queue_key("w"), keys.worker_queue_key("other")) == 1
    assert await redis.hgetall(keys.STATS) == {b"attempts|email|sent": b"1"}


async def test_the_sweep_removes_workers_that_were_silent_for_long(
    workers: Workers, redis: Redis
) -> None:
    await workers.beat("alive")
    await workers.report("dead", Measurements(), leases=2)
    seconds, _ = await redis.time()
    await redis.zadd(keys.WORKERS, {"dead": seconds - 7200, "silent": seconds - 1800})
    await redis.zadd(keys.worker_queue_key("dead"), {"job": 1})
    await workers.sweep(3600)
    assert set(await redis.zrange(keys.WORKERS, 0, -1)) == {b"alive", b"silent"}
    assert await redis.exists(keys.LEASES, keys.worker_queue_key("dead")) == 0


async def test_the_submits_that_wait_are_counted(workers: Workers, redis: Redis) -> None:
    assert await workers.queued_submits() == 0
    await redis.zadd("claimcast", {"a": 1, "b": 2})
    await redis.zadd("claimcast:worker:w", {"c": 3})
    assert await workers.queued_submits() == 2


async def test_counts_that_could_not_be_reported_come_with_the_next_call(
    workers: Workers, redis: Redis
) -> None:
    measurements = Measurements()
    measurements.attempt(ChannelName.EMAIL, FactKind.SENT)
    async with Redis.from_url("unix:///nowhere.sock") as nobody:
        with pytest.raises(RedisConnectionError):
            await Workers(nobody).report("w", measurements, leases=1)
    for _ in range(2):
        measurements.attempt(ChannelName.EMAIL, FactKind.SENT)
        measurements.permits("email", 0, 0.25)
        await workers.report("w", measurements, leases=2)
    assert await redis.hgetall(keys.STATS) == {
        b"attempts|email|sent": b"3",
        b"permits_seconds|email": b"0.5",
    }
    assert await redis.hgetall(keys.LEASES) == {b"w": b"2"}
