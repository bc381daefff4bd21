"""Campaigns on Debian's Redis: over the deaths of worker and server, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.end_to_end.support.world import World, judge, open_world
from tests.real.parts import PATIENCE, REDIS
from tests.real.redis_server import PASSWORD, USER, RedisServer
from tests.support.waiting import wait_until_sync

PEOPLE = 300
FEW = 20
pytestmark = REDIS.marks()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, "--async-delay", "0.2") as found:
        found.env["CLAIMCAST_SECRET_KEYS"] = Fernet.generate_key().decode()
        found.env["CLAIMCAST_LIMITS__EMAIL"] = "5/s"  # a minute's work, for deaths in the middle
        yield found


def server(world: World, **settings: str) -> RedisServer:
    """Set up a Redis, and have claimcast use it over TLS."""
    found = RedisServer(world.directory / "redis", **settings)
    world.env["CLAIMCAST_REDIS__URL"] = found.tls_url
    return found


def test_a_killed_worker_is_taken_over(world: World) -> None:
    with server(world).run():
        world.run("submit", *world.campaign(PEOPLE))
        worker = world.start("worker", log="worker.log")
        wait_until_sync(lambda: len(world.mails()) >= FEW, PATIENCE)
        worker.kill()
        worker.communicate()
        assert world.status()["state"] == "running"

        world.run("limits", "set", "email", "unlimited")
        world.start("worker", log="worker.log")
        world.wait_for_state("finished")

        judge(world, PEOPLE, repeats=True)
        world.run("verify", "e2e", "--remote")
    logs = "".join(path.read_text("utf-8") for path in world.directory.glob("*.log"))
    assert PASSWORD not in logs


def test_a_killed_server_forgets_nothing(world: World) -> None:
    redis = server(world)
    with redis.run():
        world.run("submit", *world.campaign(PEOPLE))
        worker = world.start("worker", log="worker.log")
        wait_until_sync(lambda: len(world.mails()) >= FEW, PATIENCE)

    with redis.run():
        assert world.status()["state"] == "running"
        world.run("limits", "set", "email", "unlimited")
        world.wait_for_state("finished")
        assert worker.poll() is None

        judge(world, PEOPLE, repeats=True)
        world.run("verify", "e2e", "--remote")


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")],
)
def test_a_server_that_can_lose_what_it_acknowledged_is_refused(
    world: World, name: str, value: str
) -> None:
    redis = server(world, **{name: value})
    world.env["CLAIMCAST_REDIS__URL"] = redis.socket_url
    with redis.run():
        world.run("run", *world.campaign(FEW), code=2)
        assert redis.keys() == 0

    assert f"{name} is {value}, not" in (world.directory / "run.log").read_text("utf-8")
    assert world.account()["orders"] == []


@pytest.mark.parametrize("wrong", ["password", "certificate"])
def test_a_server_that_cannot_be_trusted_or_does_not_trust_us_is_not_used(
    world: World, wrong: str
) -> None:
    redis = server(world)
    untrusted = redis.tls_url.partition("?")[0]
    stranger = redis.tls_url.replace(f"{USER}:", f"{USER}:x")
    world.env["CLAIMCAST_REDIS__URL"] = stranger if wrong == "password" else untrusted
    with redis.run():
        world.run("run", *world.campaign(FEW), code=3)
        assert redis.keys() == 0

    said = (world.directory / "run.log").read_text("utf-8")
    assert "Redis cannot be reached" in said
    assert PASSWORD not in said
