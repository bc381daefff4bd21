"""A Valkey whose power is cut: SIGKILL, and of its file only what was on disk at some moment."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from redis import RedisError

from pipeline.domain.tasks import stop
from tests.support.redis import Redis
from tests.support.waiting import wait_until
from worker.valkey.server import find_binary

Sizes = dict[str, int]

_FILES = "appendonlydir"


@contextlib.contextmanager
def valkey(data: Path, fsync: str, *options: str) -> Iterator[Path]:
    """Run a server on *data* until the block ends with its SIGKILL; yield its socket."""
    data.mkdir(exist_ok=True)
    socket = data / "s"
    command = [str(find_binary()), "--port", "0", "--dir", str(data), "--unixsocket", str(socket)]
    command += ["--appendonly", "yes", "--appendfsync", fsync, "--save", "", *options]
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


def on_disk(data: Path) -> Sizes:
    """Return how long each part of the append-only file is at this moment."""
    return {file.name: file.stat().st_size for file in (data / _FILES).iterdir()}


def left_of(data: Path, sizes: Sizes, target: Path) -> Path:
    """Copy what had been written when *sizes* was taken."""
    (target / _FILES).mkdir(parents=True)
    for name in sizes:
        shutil.copy(data / _FILES / name, target / _FILES)
    return cut(target, sizes)


def cut(data: Path, sizes: Sizes) -> Path:
    """Take away what was written after *sizes* was taken."""
    for name, size in sizes.items():
        os.truncate(data / _FILES / name, size)
    return data


class SizeHistory:
    """How the append-only file grew, by the monotonic clock."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._samples: list[tuple[float, Sizes]] = []

    async def run(self) -> None:
        while True:
            self.record()
            await asyncio.sleep(0.01)

    def record(self) -> None:
        self._samples.append((time.monotonic(), on_disk(self._data)))

    def at(self, moment: float) -> Sizes:
        """Return at least what had been written at *moment*, and hardly more."""
        return next(sizes for began, sizes in self._samples if began >= moment)


@contextlib.asynccontextmanager
async def recorded_sizes(data: Path) -> AsyncIterator[SizeHistory]:
    history = SizeHistory(data)
    task = asyncio.create_task(history.run())
    try:
        yield history
    finally:
        await stop(task)
        history.record()
