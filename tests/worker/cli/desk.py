"""An operator's desk: one installation on a real Valkey, and commands as typed there."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from click.testing import CliRunner, Result
from redis.asyncio import Redis

from sandbox.options import SandboxOptions
from sandbox.server import Sandbox, running
from tests.pipeline.installation import Installation
from worker.cli import main

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """Commands run in this process; what is prepared goes through the real store."""

    url: str
    key: str

    def prepare(self, work: Callable[[Installation], Awaitable[T]]) -> T:
        async def prepared() -> T:
            async with Redis.from_url(self.url) as redis:
                return await work(await Installation.opened(redis, self.key))

        return asyncio.run(prepared())

    def run(self, *words: str, code: int = 0, typed: str | None = None) -> Result:
        """Run a command and check its exit code; a traceback fails the test."""
        result = CliRunner().invoke(main, words, input=typed)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    def run_outside(self, *words: str) -> None:
        """Run a command that works as a process of its own, as workers do, and must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli", *words],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]


@contextmanager
def sandbox_beside(directory: Path) -> Iterator[Sandbox]:
    """Run a sandbox in a thread, so that commands may have the main thread's loop."""
    ready, stop = threading.Event(), threading.Event()
    found: list[Sandbox] = []

    async def serve() -> None:
        async with running(SandboxOptions(directory=directory)) as sandbox:
            found.append(sandbox)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(20)
        yield found[0]
    finally:
        stop.set()
        thread.join()
