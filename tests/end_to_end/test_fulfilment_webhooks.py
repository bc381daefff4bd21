"""With webhooks a campaign is as fast as its orders are fulfilled; without them it only waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.end_to_end.support.served import Served, served
from tests.end_to_end.support.world import judge
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 300
ORDERS = 3
FULFILLED_AFTER = 1.5
FIRST_POLL = 30.0  # seconds: with webhooks, reading is the slow safety net
FAR_AHEAD = 4_000_000_000_000  # ms since the epoch
POSTPONE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local due = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #due, 2 do
  if tonumber(due[i + 1]) > now then
    redis.call('ZADD', KEYS[1], ARGV[1], due[i])
  end
end
"""
"""Nobody reads an order before its webhook came; what one made due stays due."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, "--async-delay", str(FULFILLED_AFTER)) as found:
        yield found


def finish(site: Served) -> None:
    """Wait for every mail, and for the end."""
    wait_until_sync(lambda: len(site.world.mails()) >= PEOPLE)
    site.world.wait_for_state("finished")


def test_with_webhooks_it_is_sent_as_soon_as_it_is_fulfilled(site: Served) -> None:
    site.world.run("submit", *site.world.campaign(PEOPLE))
    with valkey(site) as redis:
        # However long `serve` stands still, an order is read for its webhook only.
        wait_until_sync(lambda: without_polls(redis) and len(site.world.mails()) >= PEOPLE)

    finish(site)

    judge(site.world, PEOPLE)
    # What the worker counted last is shown with all that came before.
    sent = partial(site.metric, "attempts_total", channel="email", result="sent")
    wait_until_sync(lambda: sent() >= PEOPLE)
    assert site.metric("order_reads_total", cause="webhook") == ORDERS
    assert site.metric("order_reads_total", cause="poll") == 0
    assert site.metric("webhooks_total", kind="fulfilment", result="taken") == ORDERS
    assert sent() == PEOPLE
    assert site.metric("stage_seconds_count", stage="order") == ORDERS
    assert site.metric("permit_wait_seconds_count", limit="orders") == ORDERS


def test_with_every_webhook_lost_it_finishes_when_the_orders_are_read(site: Served) -> None:
    site.world.switch("faults", webhook_never=1.0)
    site.world.run("submit", *site.world.campaign(PEOPLE))
    with valkey(site) as redis:
        wait_until_sync(lambda: len(waiting(redis)) == ORDERS)
        placed = min(order["created_at"] for order in site.world.account()["orders"])
        assert min(waiting(redis).values()) > placed + FIRST_POLL / 2, "polled as if without"
        wait_until_sync(lambda: fulfilled(site))
        redis.zadd("cc:1:due:r", dict.fromkeys(waiting(redis), 0))  # half a minute passes

    finish(site)

    judge(site.world, PEOPLE)
    assert site.metric("webhooks_total", kind="fulfilment", result="taken") == 0


@contextmanager
def valkey(site: Served) -> Iterator[Redis]:
    with (
        EmbeddedValkey(site.world.directory / "state") as server,
        Redis.from_url(server.start_or_join()) as redis,
    ):
        yield redis


def without_polls(redis: Redis) -> bool:
    """Put off every read that no webhook asked for."""
    redis.eval(POSTPONE, 1, "cc:1:due:r", str(FAR_AHEAD))
    return True


def waiting(redis: Redis) -> dict[bytes, float]:
    """Return the batches whose orders wait to be read, and when, in seconds since the epoch."""
    ordered: Any = redis.hget("cc:1", "b:ordered")
    if ordered != str(ORDERS).encode():
        return {}
    held = [number for number in range(1, ORDERS + 1) if redis.hexists(f"cc:1:b:{number}", "tok")]
    found = redis.zrange("cc:1:due:r", 0, -1, withscores=True)
    return {} if held else {batch: due / 1000 for batch, due in found}  # type: ignore[union-attr]


def fulfilled(site: Served) -> bool:
    return all(order["status"] == "Completed" for order in site.world.account()["orders"])
