"""What runs while somebody brings the data to a newer format stops with a sentence, in order."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.end_to_end.support.world import COMMAND, PATIENT, World, judge, world
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 400
SENTENCE = (
    "Error: The data in Redis is of format 2, and this claimcast knows it only up to format 1"
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """An installation that sends slowly, however busy this machine is."""
    with world(tmp_path) as found:
        found.env |= {"CLAIMCAST_LIMITS__EMAIL": "8/s", "CLAIMCAST_BATCH_SIZE": "20"}
        yield found


@contextmanager
def stored(here: World) -> Iterator[Redis]:
    with (
        EmbeddedValkey(here.directory / "state") as server,
        Redis.from_url(server.start_or_join(), socket_timeout=120) as redis,
    ):
        yield redis


def set_mark(here: World, written: int) -> None:
    with stored(here) as redis:
        assert redis.hset("cc:keys", "format", str(written)) == 0, "there was no mark"


def log(here: World, name: str) -> str:
    return (here.directory / name).read_text("utf-8")


def refused(here: World, process: "subprocess.Popen[str]", name: str) -> None:
    """Wait for the end of a process and check that it is the one that newer data makes."""
    process.communicate(timeout=120)
    assert process.returncode == 2, log(here, name)
    *_, last = log(here, name).splitlines()
    assert last.startswith(SENTENCE)
    assert "Traceback" not in log(here, name)


@pytest.mark.parametrize("command", ["worker", "run"])
def test_a_worker_settles_what_is_on_the_wire_and_leaves_nothing_half_done(
    here: World, command: str
) -> None:
    files = here.campaign(PEOPLE)
    here.command = PATIENT  # a mail that is not settled before its worker ends is sent again
    if command == "worker":
        here.run("submit", *files)
        files = []
    process = here.start(command, *files, log="first.log")
    here.command = COMMAND
    wait_until_sync(lambda: len(here.mails()) > 5)

    set_mark(here, 2)
    refused(here, process, "first.log")

    with stored(here) as redis:
        assert redis.zcard("cc:workers") == 0
        assert redis.hlen("cc:keys:live") == 0
        assert not [key for key in redis.scan_iter("cc:*:b:*") if redis.hexists(key, "tok")]
    here.run("worker", "--burst", code=2)
    set_mark(here, 1)
    deliveries = here.status()["deliveries"]
    assert deliveries["sending"] == deliveries["uncertain"] == 0, deliveries
    assert deliveries["sent"] == len(here.mails()) < PEOPLE
    here.env["CLAIMCAST_LIMITS__EMAIL"] = "unlimited"
    here.run("run", *here.campaign(PEOPLE))
    judge(here, PEOPLE)


@pytest.mark.parametrize(
    ("words", "begun"),
    [
        (("serve", "--port", "0"), "Serving on"),
        (("submit", "e2e.toml", "e2e.csv", "--wait"), "e2e submitted"),
    ],
    ids=["serve", "submit"],
)
def test_what_waits_stops_too(here: World, words: tuple[str, ...], begun: str) -> None:
    here.campaign(PEOPLE)
    process = here.start(*words, log="waiting.log")
    wait_until_sync(lambda: begun in log(here, "waiting.log"))
    set_mark(here, 2)
    refused(here, process, "waiting.log")


def test_a_command_that_only_watches_stops_too(here: World) -> None:
    here.run("submit", *here.campaign(PEOPLE))
    process = here.start("status", "e2e", "--watch", log="watching.log")
    assert process.stdout is not None
    assert f"{PEOPLE} open" in process.stdout.readline()
    set_mark(here, 2)
    refused(here, process, "watching.log")


def test_a_command_that_only_watches_looks_at_the_format_and_notes_nothing(here: World) -> None:
    here.run("submit", *here.campaign(PEOPLE))
    with stored(here) as redis:
        redis.hdel("cc:keys", "format")
        process = here.start("status", "e2e", "--watch", log="watching.log")
        assert process.stdout is not None
        process.stdout.readline()  # it has opened the ledger
        with redis.monitor() as seen:  # type: ignore[no-untyped-call]
            next(each for each in seen.listen() if each["command"] == "HGET cc:keys format")
        assert redis.hget("cc:keys", "format") is None
        assert redis.hlen("cc:keys:live") == 0
        assert process.poll() is None


def test_what_was_asked_to_stop_says_so_and_nothing_of_formats(here: World) -> None:
    here.run("submit", *here.campaign(PEOPLE))
    process = here.start("status", "e2e", "--watch", log="watching.log")
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert "format" not in log(here, "watching.log")
    assert json.loads(here.run("status", "e2e", "--json"))["people"]["open"] == PEOPLE
