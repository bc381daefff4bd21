"""What runs while somebody brings the data to a newer format stops with a sentence, in order."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.end_to_end.support.world import COMMAND, PATIENT, World, judge, open_world
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 400
SENTENCE = (
    "Error: The data in Redis is of format 2, and this claimcast knows it only up to format 1"
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An installation that sends slowly, however busy this machine is."""
    with open_world(tmp_path) as found:
        found.env |= {"CLAIMCAST_LIMITS__EMAIL": "8/s", "CLAIMCAST_BATCH_SIZE": "20"}
        yield found


@contextmanager
def stored(world: World) -> Iterator[Redis]:
    with (
        EmbeddedValkey(world.directory / "state") as server,
        Redis.from_url(server.start_or_join(), socket_timeout=120) as redis,
    ):
        yield redis


def set_mark(world: World, written: int) -> None:
    with stored(world) as redis:
        assert redis.hset("cc:keys", "format", str(written)) == 0, "there was no mark"


def log(world: World, name: str) -> str:
    return (world.directory / name).read_text("utf-8")


def refused(world: World, process: "subprocess.Popen[str]", name: str) -> None:
    """Wait for the end of a process and check that it is the one that newer data makes."""
    process.communicate(timeout=120)
    assert process.returncode == 2, log(world, name)
    *_, last = log(world, name).splitlines()
    assert last.startswith(SENTENCE)
    assert "Traceback" not in log(world, name)


@pytest.mark.parametrize("command", ["worker", "run"])
def test_a_worker_settles_what_is_on_the_wire_and_leaves_nothing_half_done(
    world: World, command: str
) -> None:
    files = world.campaign(PEOPLE)
    world.command = PATIENT  # a mail that is not settled before its worker ends is sent again
    if command == "worker":
        world.run("submit", *files)
        files = []
    process = world.start(command, *files, log="first.log")
    world.command = COMMAND
    wait_until_sync(lambda: len(world.mails()) > 5)

    set_mark(world, 2)
    refused(world, process, "first.log")

    with stored(world) as redis:
        assert redis.zcard("cc:workers") == 0
        assert redis.hlen("cc:keys:live") == 0
        assert not [key for key in redis.scan_iter("cc:*:b:*") if redis.hexists(key, "tok")]
    world.run("worker", "--burst", code=2)
    set_mark(world, 1)
    deliveries = world.status()["deliveries"]
    assert deliveries["sending"] == deliveries["uncertain"] == 0, deliveries
    assert deliveries["sent"] == len(world.mails()) < PEOPLE
    world.env["CLAIMCAST_LIMITS__EMAIL"] = "unlimited"
    world.run("run", *world.campaign(PEOPLE))
    judge(world, PEOPLE)


@pytest.mark.parametrize(
    ("words", "begun"),
    [
        (("serve", "--port", "0"), "Serving on"),
        (("submit", "e2e.toml", "e2e.csv", "--wait"), "e2e submitted"),
    ],
    ids=["serve", "submit"],
)
def test_what_waits_stops_too(world: World, words: tuple[str, ...], begun: str) -> None:
    world.campaign(PEOPLE)
    process = world.start(*words, log="waiting.log")
    wait_until_sync(lambda: begun in log(world, "waiting.log"))
    set_mark(world, 2)
    refused(world, process, "waiting.log")


def test_a_command_that_only_watches_stops_too(world: World) -> None:
    world.run("submit", *world.campaign(PEOPLE))
    process = world.start("status", "e2e", "--watch", log="watching.log")
    assert process.stdout is not None
    assert f"{PEOPLE} open" in process.stdout.readline()
    set_mark(world, 2)
    refused(world, process, "watching.log")


def test_a_command_that_only_watches_looks_at_the_format_and_notes_nothing(world: World) -> None:
    world.run("submit", *world.campaign(PEOPLE))
    with stored(world) as redis:
        redis.hdel("cc:keys", "format")
        process = world.start("status", "e2e", "--watch", log="watching.log")
        assert process.stdout is not None
        process.stdout.readline()  # it has opened the ledger
        with redis.monitor() as seen:  # type: ignore[no-untyped-call]
            next(each for each in seen.listen() if each["command"] == "HGET cc:keys format")
        assert redis.hget("cc:keys", "format") is None
        assert redis.hlen("cc:keys:live") == 0
        assert process.poll() is None


def test_what_was_asked_to_stop_says_so_and_nothing_of_formats(world: World) -> None:
    world.run("submit", *world.campaign(PEOPLE))
    process = world.start("status", "e2e", "--watch", log="watching.log")
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert "format" not in log(world, "watching.log")
    assert json.loads(world.run("status", "e2e", "--json"))["people"]["open"] == PEOPLE
