"""A server that cannot write stops nobody for good: all wait, say why, and go on."""

import json
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from tests.end_to_end.support.world import World, judge
from tests.support.waiting import wait_until_sync
from worker.valkey.server import ValkeyServer

PEOPLE = 600


@pytest.fixture
def at_work(world: World) -> Iterator[subprocess.Popen[str]]:
    """A run that has sent a part of its mails, at a rate that leaves the rest for much later."""
    world.env |= {"CLAIMCAST_LIMITS__EMAIL": "5/s", "CLAIMCAST_BATCH_SIZE": "20"}
    process = world.start("run", *world.campaign(PEOPLE))
    wait_until_sync(lambda: len(world.mails()) > 5)
    yield process
    process.kill()
    process.communicate()


def server(world: World) -> ValkeyServer:
    return ValkeyServer(world.directory / "state")


def limit(pids: list[int], size: int) -> None:
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def file_size(world: World) -> int:
    files = (world.directory / "state" / "valkey" / "appendonlydir").iterdir()
    return max(file.stat().st_size for file in files)


def logged(world: World, event: str) -> list[dict[str, Any]]:
    lines = (world.directory / "run.log").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each["event"] == event]


def settle(world: World, process: subprocess.Popen[str]) -> None:
    """Let the run end; check that everybody has one link, and few were written to twice."""
    world.run("limits", "set", "email", "unlimited")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    judge(world, PEOPLE, repeats=True)
    assert len(world.mails()) - PEOPLE <= 2 * int(world.env["CLAIMCAST_SMTP__CONNECTIONS"])
    world.run("verify", "e2e")


def test_a_full_disk_is_waited_out_and_logged_once(
    world: World, at_work: subprocess.Popen[str]
) -> None:
    pid = server(world).pid
    assert pid is not None
    # The process that starts the server again hands the limit on.
    limit([pid, at_work.pid], file_size(world) + 1000)
    wait_until_sync(lambda: logged(world, "valkey.not_restarted"))
    log = server(world).log_path
    starts = log.read_text("utf-8").count("Ready to accept")
    wait_until_sync(lambda: log.read_text("utf-8").count("Ready to accept") > starts)
    assert at_work.poll() is None
    assert len(world.mails()) < PEOPLE

    limit([at_work.pid], resource.RLIM_INFINITY)
    lift(server(world))

    settle(world, at_work)
    [entries] = logged(world, "valkey.not_restarted")
    assert "is full" in entries["why"]


def lift(found: ValkeyServer) -> None:
    """End the server's limit, unless it has just ended by it once more."""
    if found.answer() is not None and found.pid is not None:
        try:
            limit([found.pid], resource.RLIM_INFINITY)
        except ProcessLookupError:
            return


def without_memory(redis: "Redis", world: World) -> Callable[[], object]:
    redis.config_set("maxmemory", 1)
    return lambda: redis.config_set("maxmemory", 0)


def without_a_disk(redis: "Redis", world: World) -> Callable[[], object]:
    pid = server(world).pid
    assert pid is not None
    redis.config_set("appendfsync", "everysec")
    limit([pid], file_size(world) + 10)

    def permit() -> None:
        limit([pid], resource.RLIM_INFINITY)
        redis.config_set("appendfsync", "always")

    return permit


@pytest.mark.parametrize(
    ("refuse", "error", "why"),
    [
        (without_memory, "OutOfMemoryError", "no memory left"),
        (without_a_disk, "ResponseError", "cannot write its append-only file"),
    ],
)
def test_a_server_that_refuses_to_write_is_waited_for(
    world: World,
    at_work: subprocess.Popen[str],
    refuse: Callable[["Redis", World], Callable[[], object]],
    error: str,
    why: str,
) -> None:
    with closing(Redis.from_url(f"unix://{server(world).socket_path}")) as redis:
        permit = refuse(redis, world)
        wait_until_sync(lambda: logged(world, "upkeep.interrupted"))
        assert len(world.mails()) < PEOPLE
        assert at_work.poll() is None
        permit()
    settle(world, at_work)
    entries = logged(world, "upkeep.interrupted")
    assert {each["error"] for each in entries} == {error}
    assert why in entries[0]["why"]
