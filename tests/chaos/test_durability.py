"""A power cut: SIGKILL of Valkey, and of its file only what was on disk."""

import contextlib
import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis import RedisError
from redis.asyncio import Redis

from pipeline.models import DeliveryStatus
from pipeline.store.deliveries import Wanted
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    a_campaign,
    fulfilled,
    lapse,
    open_ledger,
    people,
    submit,
    taken,
)
from tests.support.waiting import wait_until
from worker.valkey_server import find_binary

PEOPLE = 60


@contextlib.contextmanager
def valkey(data: Path, fsync: str) -> Iterator[Path]:
    """Run a server on *data* until the block ends with its SIGKILL; yield its socket."""
    socket = data / "s"
    command = [str(find_binary()), "--port", "0", "--dir", str(data), "--unixsocket", str(socket)]
    command += ["--appendonly", "yes", "--appendfsync", fsync, "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield socket
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def client(socket: Path) -> AsyncIterator[Redis]:
    async with Redis.from_url(f"unix://{socket}") as redis:

        async def answers() -> bool:
            with contextlib.suppress(RedisError, OSError):
                return bool(await redis.ping())
            return False

        await wait_until(answers)
        yield redis


def on_disk(data: Path) -> dict[str, int]:
    """Return how long each part of the append-only file is at this moment."""
    return {file.name: file.stat().st_size for file in (data / "appendonlydir").iterdir()}


def left_of(data: Path, sizes: dict[str, int], target: Path) -> Path:
    """Copy what had been written when *sizes* was taken."""
    (target / "appendonlydir").mkdir(parents=True)
    for name, size in sizes.items():
        copy = Path(shutil.copy(data / "appendonlydir" / name, target / "appendonlydir"))
        with copy.open("rb+") as file:
            file.truncate(size)
    return target


async def intents(ledger: Ledger, data: Path, cuts: set[int]) -> dict[int, dict[str, int]]:
    """Acknowledge an intent for each of PEOPLE, one by one; return the sizes after *cuts*."""
    found = await fulfilled(ledger, await submit(ledger, a_campaign(), [people(PEOPLE)]))
    sizes = {}
    for index in range(PEOPLE):
        assert await ledger.deliveries.intend(found, [Wanted(index, EMAIL, 0)]) == [1]
        if index in cuts:
            sizes[index] = on_disk(data)
    return sizes


async def test_with_always_everything_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    cuts = set(random.Random(1).sample(range(PEOPLE), 3))  # noqa: S311 - any will do
    (data := tmp_path / "v").mkdir()
    with valkey(data, "always") as socket:
        async with client(socket) as redis:
            sizes = await intents(open_ledger(redis), data, cuts)

    for index, size in sizes.items():
        with valkey(left_of(data, size, tmp_path / f"v{index}"), "always") as socket:
            async with client(socket) as redis:
                ledger = open_ledger(redis)
                records = await ledger.deliveries.read("1", 1)
                assert {at for at, [found] in records.items() if found.status == "sending"} == set(
                    range(index + 1)
                )
                await lapse(ledger, "1")
                found = (await taken(ledger, "1")).ledger
                # Nothing that was in progress is pending: it may have been sent.
                assert {found[at][0].status for at in range(index + 1)} == {
                    DeliveryStatus.UNCERTAIN
                }


async def test_a_command_that_is_half_on_disk_is_left_out(tmp_path: Path) -> None:
    (data := tmp_path / "v").mkdir()
    with valkey(data, "always") as socket:
        async with client(socket) as redis:
            sizes = await intents(open_ledger(redis), data, {10, 11})

    half = {name: (size + sizes[11][name]) // 2 for name, size in sizes[10].items()}
    assert half != sizes[10]
    with valkey(left_of(data, half, tmp_path / "half"), "always") as socket:
        async with client(socket) as redis:
            records = await open_ledger(redis).deliveries.read("1", 1)
            assert sorted(records) == list(range(11))


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="a changed run_id under less than `always` is not noticed",
)
async def test_with_everysec_what_was_in_progress_comes_back_as_uncertain(tmp_path: Path) -> None:
    (data := tmp_path / "v").mkdir()
    with valkey(data, "everysec") as socket:
        async with client(socket) as redis:
            sizes = await intents(open_ledger(redis), data, {30})

    # The last second is lost: 29 intents that were acknowledged, and perhaps acted on.
    with valkey(left_of(data, sizes[30], tmp_path / "lost"), "everysec") as socket:
        async with client(socket) as redis:
            ledger = open_ledger(redis)
            await lapse(ledger, "1")
            found = (await taken(ledger, "1")).ledger
            assert {
                found[at][0].status if at in found else DeliveryStatus.PENDING
                for at in range(PEOPLE)
            } == {DeliveryStatus.UNCERTAIN}
