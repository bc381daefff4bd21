"""Where the mail goes: postfix's `smtp-sink` where it is installed, else a sink of our own."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.world.processes import PYTHON, BenchError, BenchProcess, until

SinkKind = Literal["auto", "smtp-sink", "own", "distant"]

DISTANCE_MS = 25
"""How long the answers of a distant server take; of one in the next country, say."""


@dataclass(frozen=True, slots=True)
class Sink:
    """A mail server on loopback; `moments` gets what our own sink writes, `smtp-sink` nothing."""

    name: str
    port: int
    moments: Path


def smtp_sink() -> str | None:
    """Return the path of `smtp-sink`, which lies in a folder that users may not have in PATH."""
    return shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextlib.asynccontextmanager
async def sink(directory: Path, kind: SinkKind) -> AsyncIterator[Sink]:
    """Run a sink for the time of the block; raises BenchError if there is none of that kind."""
    program, port, moments = smtp_sink(), free_port(), directory / "moments.txt"
    name: str
    if kind == "distant":
        name, command = "distant", [PYTHON, "-m", "bench.world.sink", str(port), str(moments)]
        command.append(str(DISTANCE_MS))
    elif kind == "own" or (kind == "auto" and program is None):
        name, command = "own", [PYTHON, "-m", "bench.world.sink", str(port), str(moments)]
    elif program is None:
        msg = "smtp-sink is not installed: it comes with postfix"
        raise BenchError(msg)
    else:
        # It refuses to run as root.
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        name, command = "smtp-sink", [program, *user, f"127.0.0.1:{port}", "1024"]
    process = BenchProcess("sink", command, directory, {})
    try:
        await until(lambda: _answers(port, process), "the mail sink")
        yield Sink(name, port, moments)
    finally:
        await asyncio.to_thread(process.stop)


async def _answers(port: int, process: BenchProcess) -> bool:
    process.check()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
