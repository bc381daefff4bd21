"""Campaigns on Debian's Redis: over the deaths of worker and server, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.end_to_end.support.world import World, judge, world
from tests.real.parts import PATIENCE, REDIS
from tests.real.redis_server import PASSWORD, USER, RedisServer
from tests.support.waiting import wait_until_sync

PEOPLE = 300
FEW = 20
pytestmark = REDIS.marks()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, "--async-delay", "0.2") as found:
        found.env["CLAIMCAST_SECRET_KEYS"] = Fernet.generate_key().decode()
        found.env["CLAIMCAST_LIMITS__EMAIL"] = "5/s"  # a minute's work, for deaths in the middle
        yield found


def server(here: World, **settings: str) -> RedisServer:
    """Set up a Redis, and have claimcast use it over TLS."""
    found = RedisServer(here.directory / "redis", **settings)
    here.env["CLAIMCAST_REDIS__URL"] = found.tls_url
    return found


def test_a_killed_worker_is_taken_over(here: World) -> None:
    with server(here).run():
        here.run("submit", *here.campaign(PEOPLE))
        worker = here.start("worker", log="worker.log")
        wait_until_sync(lambda: len(here.mails()) >= FEW, PATIENCE)
        worker.kill()
        worker.communicate()
        assert here.status()["state"] == "running"

        here.run("limits", "set", "email", "unlimited")
        here.start("worker", log="worker.log")
        here.wait_for_state("finished")

        judge(here, PEOPLE, repeats=True)
        here.run("verify", "e2e", "--remote")
    logs = "".join(path.read_text("utf-8") for path in here.directory.glob("*.log"))
    assert PASSWORD not in logs


def test_a_killed_server_forgets_nothing(here: World) -> None:
    redis = server(here)
    with redis.run():
        here.run("submit", *here.campaign(PEOPLE))
        worker = here.start("worker", log="worker.log")
        wait_until_sync(lambda: len(here.mails()) >= FEW, PATIENCE)

    with redis.run():
        assert here.status()["state"] == "running"
        here.run("limits", "set", "email", "unlimited")
        here.wait_for_state("finished")
        assert worker.poll() is None

        judge(here, PEOPLE, repeats=True)
        here.run("verify", "e2e", "--remote")


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")],
)
def test_a_server_that_can_lose_what_it_acknowledged_is_refused(
    here: World, name: str, value: str
) -> None:
    redis = server(here, **{name: value})
    here.env["CLAIMCAST_REDIS__URL"] = redis.socket_url
    with redis.run():
        here.run("run", *here.campaign(FEW), code=2)
        assert redis.keys() == 0

    assert f"{name} is {value}, not" in (here.directory / "run.log").read_text("utf-8")
    assert here.account()["orders"] == []


@pytest.mark.parametrize("wrong", ["password", "certificate"])
def test_a_server_that_cannot_be_trusted_or_does_not_trust_us_is_not_used(
    here: World, wrong: str
) -> None:
    redis = server(here)
    untrusted = redis.tls_url.partition("?")[0]
    stranger = redis.tls_url.replace(f"{USER}:", f"{USER}:x")
    here.env["CLAIMCAST_REDIS__URL"] = stranger if wrong == "password" else untrusted
    with redis.run():
        here.run("run", *here.campaign(FEW), code=3)
        assert redis.keys() == 0

    said = (here.directory / "run.log").read_text("utf-8")
    assert "Redis cannot be reached" in said
    assert PASSWORD not in said
