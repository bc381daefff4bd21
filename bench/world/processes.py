"""Programs in processes of their own, and what they cost. Linux only: it reads /proc."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
COMMAND = (PYTHON, "-m", "worker.cli")

_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 20.0
_LAST_WORDS = 2000


class BenchError(Exception):
    """Nothing can be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a program that ran to its end has cost: wall and CPU seconds, peak memory in bytes."""

    seconds: float
    cpu: float
    peak: int
    output: str


class BenchProcess:
    """A program that runs until `stop`; its output is in *directory*, in files called *name*."""

    def __init__(
        self, name: str, command: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.output_path, self._log = directory / f"{name}.out", directory / f"{name}.log"
        with self.output_path.open("wb") as output, self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )
        self.name = name

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu(self) -> float:
        """CPU seconds so far, of all its threads."""
        # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def peak(self) -> int:
        """Peak resident memory so far, in bytes."""
        lines = self._proc("status").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def check(self) -> None:
        """Raise BenchError if it has ended."""
        if self.ended:
            msg = f"{self.name} ended: {self.last_words()}"
            raise BenchError(msg)

    def last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-_LAST_WORDS:]

    async def wait(self) -> Ended:
        """Wait until it ends by itself; raises BenchError if it failed."""
        started = time.monotonic()
        _, status, usage = await asyncio.to_thread(os.wait4, self._process.pid, 0)
        seconds = time.monotonic() - started
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            msg = f"{self.name} failed: {self.last_words()}"
            raise BenchError(msg)
        output = self.output_path.read_text("utf-8")
        cpu = usage.ru_utime + usage.ru_stime
        return Ended(seconds, cpu, usage.ru_maxrss * 1024, output)

    def stop(self) -> None:
        """End it with SIGTERM, or if it does not heed that with SIGKILL; may be called twice."""
        if self.ended:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _proc(self, what: str) -> str:
        try:
            return Path(f"/proc/{self._process.pid}/{what}").read_text("utf-8")
        except FileNotFoundError:
            msg = f"{self.name} is gone: {self.last_words()}"
            raise BenchError(msg) from None


async def run(
    name: str, command: Sequence[str], directory: Path, environment: Mapping[str, str]
) -> Ended:
    """Run a program to its end; raises BenchError if it fails."""
    process = BenchProcess(name, command, directory, environment)
    try:
        return await process.wait()
    finally:
        process.stop()


async def until(
    condition: Callable[[], Awaitable[bool]],
    what: str,
    *,
    seconds: float = 30,
    every: float = 0.02,
) -> None:
    """Wait for *condition*; raises BenchError, naming *what*, if it does not come in time."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            msg = f"waited {seconds:.0f} s in vain: {what}"
            raise BenchError(msg)
        await asyncio.sleep(every)
