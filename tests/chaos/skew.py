"""Wrong clocks for single processes."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

_LIBRARY = "libfaketime.so.1"
_SYSTEM = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime")
# Only what Python reads as time.time(); the C library's clock stays right.
_LAUNCH = """\
import runpy, sys, time
real = time.time
time.time = lambda: real() + {seconds}
sys.argv[0] = "worker"
runpy.run_module("worker", run_name="__main__", alter_sys=True)
"""


def library() -> Path | None:
    """
    Return libfaketime if it works here: CHAOS_FAKETIME names it, else pip's or the system's.

    Clocks that only move forward stay right, as they do on a machine whose date is wrong.
    """
    named = os.environ.get("CHAOS_FAKETIME")
    found = [Path(named)] if named else [*_of_pip(), *(Path(each) / _LIBRARY for each in _SYSTEM)]
    return next((path for path in found if path.is_file() and _works(path)), None)


def environment(path: Path, seconds: int) -> dict[str, str]:
    """Return what makes a process's date wrong by *seconds*."""
    return {
        "LD_PRELOAD": str(path),
        "FAKETIME": f"{seconds:+d}s",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def intent_write(seconds: int) -> list[str]:
    """Return the arguments of Python for a worker whose time.time() is wrong by *seconds*."""
    return ["-c", _LAUNCH.format(seconds=seconds)]


def tidy(pid: int) -> None:
    """Remove what libfaketime leaves behind of a process that was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)  # noqa: S108 - the library's own place


def _of_pip() -> list[Path]:
    try:
        files = metadata.files("libfaketime") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == _LIBRARY]


def _works(path: Path) -> bool:
    program = "import time; print(time.time() - time.clock_gettime(time.CLOCK_MONOTONIC))"
    shown = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=extra,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        ).stdout
        for extra in ({}, environment(path, 5000))
    ]
    try:
        usual, skewed = map(float, shown)
    except ValueError:
        return False
    return 4000 < skewed - usual < 6000
