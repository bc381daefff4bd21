"""The command line in a test: one installation on a real Valkey, and commands typed there."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from click.testing import CliRunner, Result

from sandbox.options import SandboxOptions
from sandbox.server import Sandbox, running
from tests.channels.app import KEPT, App, app
from tests.channels.sms.servers import Reply
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from tests.support.root import ROOT
from worker.cli import main

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommandLine:
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
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]


@contextmanager
def sandbox_beside(directory: Path) -> Iterator[Sandbox]:
    """Run a sandbox in a thread, so that commands may have the main thread's loop."""
    with _beside(running(SandboxOptions(directory=directory))) as sandbox:
        yield sandbox


@contextmanager
def app_beside(reply: Reply = KEPT) -> Iterator[App]:
    """Run a customer's app, or a receiver of alerts, in a thread."""
    with _beside(app(reply)) as receiver:
        yield receiver


@contextmanager
def _beside(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    ready, stop = threading.Event(), threading.Event()
    found: list[T] = []

    async def serve() -> None:
        async with server as started:
            found.append(started)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(120)
        yield found[0]
    finally:
        stop.set()
        thread.join()
