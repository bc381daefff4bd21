"""Alerts of real commands: notified once, also by a `run` that ends, also after a SIGKILL."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet
from redis import Redis
from standardwebhooks import Webhook

from pipeline.store.formats.alert_records import AlertPhase, AlertRecord, decode_record
from tests.channels.app import KEPT, SECRET, App, body_of, headers_of
from tests.channels.sms.servers import SILENCE
from tests.end_to_end.support.world import World
from tests.support.waiting import wait_until_sync
from tests.worker.cli.command_line import app_beside


@pytest.fixture
def receiver(world: World) -> Iterator[App]:
    """The receiver of the installation's alerts."""
    with app_beside() as found:
        world.env["CLAIMCAST_ALERT__URL"] = f"http://localhost:{found.port}/alerts"
        world.env["CLAIMCAST_ALERT__SECRET"] = SECRET
        yield found


def notices(receiver: App) -> list[dict[str, Any]]:
    return [Webhook(SECRET).verify(body_of(raw), dict(headers_of(raw))) for raw in receiver.raw]


def test_a_run_that_ends_with_held_batches_notifies_and_the_next_one_does_not(
    world: World, receiver: App
) -> None:
    world.switch("faults", order_fails=1.0)
    world.env["CLAIMCAST_BATCH_SIZE"] = "5"
    files = world.campaign(15)
    world.run("run", *files, code=1)
    [alert] = notices(receiver)
    assert alert["data"]["campaign"] == "e2e"
    assert (alert["data"]["code"], alert["data"]["held_batches"]) == ("order_failed", 3)
    assert alert["data"]["state"] == "blocked"
    text = body_of(receiver.raw[0]).decode()
    assert "@" not in text
    assert "http" not in text

    world.run("run", *files, code=1)
    assert len(notices(receiver)) == 1


@pytest.fixture
def shared(world: World, valkey_url: str) -> Iterator[Redis]:
    """A server that outlives the installation's processes."""
    world.env["CLAIMCAST_REDIS__URL"] = valkey_url
    world.env["CLAIMCAST_SECRET_KEYS"] = Fernet.generate_key().decode()
    with Redis.from_url(valkey_url) as redis:
        redis.flushall()
        yield redis


def record(redis: Redis) -> tuple[str, AlertRecord]:
    """Return the only alert there is."""
    stored = cast("dict[bytes, bytes]", redis.hgetall("cc:alerts"))
    [(field, text)] = stored.items()
    return field.decode(), decode_record(text.decode())


def test_a_worker_looks_while_it_works_and_notifies_when_it_leaves(
    world: World, receiver: App, shared: Redis
) -> None:
    world.run("submit", *world.campaign(3))
    shared.hset("cc:1", "blk:o", "credentials")
    worker = world.start("worker")
    wait_until_sync(lambda: shared.exists("cc:alerts"))
    assert record(shared)[1].phase is AlertPhase.SEEN
    assert notices(receiver) == []
    worker.terminate()
    worker.communicate(timeout=120)
    assert [alert["data"]["code"] for alert in notices(receiver)] == ["credentials"]
    assert record(shared)[1].phase is AlertPhase.NOTIFIED


def test_a_notice_that_a_run_was_sending_when_it_was_killed_is_sent_again(
    world: World, receiver: App, shared: Redis
) -> None:
    world.switch("faults", order_fails=1.0)
    receiver.reply = SILENCE
    files = world.campaign(3)
    process = world.start("run", *files)
    wait_until_sync(lambda: receiver.heads)
    process.kill()
    process.communicate()

    field, claimed = record(shared)
    assert claimed.phase is AlertPhase.NOTIFYING
    # A minute later:
    lapsed = f"{claimed.at_ms - 60_000} {claimed.becomes(claimed.phase, claimed.tries)}"
    shared.hset("cc:alerts", field, lapsed)
    receiver.reply = KEPT
    world.run("run", *files, code=1)
    assert notices(receiver)[-1]["data"]["code"] == "order_failed"
    assert len({headers_of(head)["webhook-id"] for head in receiver.heads}) == 1
