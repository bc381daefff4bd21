"""Programs of others that a test needs: whether they are there, and their life as our children."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.waiting import wait_until_sync

PATIENCE = 120.0
"""Seconds for anything to come true: the machine may be busy, and nothing here is measured."""

_HANG = 600  # seconds for a whole test; it catches a hang and measures nothing
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/lib/postfix/sbin"


@dataclass(frozen=True, slots=True)
class Part:
    """A program, Debian's package that brings it, and whether it runs for root only."""

    program: str
    package: str
    root: bool = False

    @property
    def path(self) -> str | None:
        return shutil.which(self.program, path=_PATH)

    @property
    def missing(self) -> str:
        """What is missing, as a sentence; empty if nothing is."""
        if self.path is None:
            return f"{self.package} is not installed: apt-get install {self.package}"
        if self.root and os.geteuid() != 0:
            return f"{self.package} starts for root only: run make test-real as root"
        return ""

    def command(self, *arguments: str) -> list[str]:
        assert self.path is not None
        return [self.path, *arguments]

    def marks(self) -> list[pytest.MarkDecorator]:
        """Return what a module of tests with this part is marked with."""
        return [
            pytest.mark.real,
            pytest.mark.timeout(_HANG),
            pytest.mark.skipif(bool(self.missing), reason=self.missing),
        ]


POSTFIX = Part("master", "postfix", root=True)
REDIS = Part("redis-server", "redis-server")
NGINX = Part("nginx", "nginx")
CHROMIUM = Part("chromium", "chromium")
SYSTEMD = Part("systemd-analyze", "systemd")


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, ready: Callable[[], bool], *, kill: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a server for the time of the block, from when it is *ready*; it and its children end after.

    With *kill* by SIGKILL, for one that has nothing to tidy up.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=_environment(log.parent), start_new_session=True
        )
    try:
        wait_until_sync(lambda: ready() or _ended(process, log), PATIENCE)
        yield process
    finally:
        if not kill:
            _end_gently(process)
        # Its children are in its group, also those that outlived it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment(home: Path) -> dict[str, str]:
    """Return what a program gets to know: nothing of the user of these tests, also no home."""
    return {"PATH": _PATH, "HOME": str(home)}


def _end_gently(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)


def _ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8", "replace")[-4000:]
    return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
