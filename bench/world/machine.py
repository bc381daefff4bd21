"""The machine and the versions that the figures were measured with."""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from worker.valkey.server import find_binary

_PACKAGES = ("uvloop", "aiosmtplib", "arq", "redis", "hiredis", "pydantic", "cryptography")
_SYNCS = 50
_BLOCK = 4096


def describe(directory: Path) -> dict[str, str]:
    """
    Return what the figures depend on, as words; what cannot be found out is left out.

    *directory* is where everything will lie: each step of a campaign waits for its disk.
    """
    found = {
        "CPU": f"{_cpu()}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "Valkey": _first_line(str(find_binary()), "--version"),
        "postfix": _first_line("postconf", "-d", "mail_version"),
        "disk": f"{_sync_ms(directory):.2g} ms per fsync",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    return {name: text for name, text in found.items() if text}


def _sync_ms(directory: Path) -> float:
    """Return the median time that it takes to append to a file and sync it, in ms."""
    spent = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(bytes(_BLOCK))
            file.flush()
            os.fsync(file.fileno())
            spent.append((time.perf_counter() - started) * 1000)
    return median(spent)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _first_line(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    done = subprocess.run(  # noqa: S603 - asking a program for its version
        [path, *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout.partition("\n")[0].strip()
