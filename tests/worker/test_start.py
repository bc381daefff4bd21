"""Ctrl-C ends a command with one line, however early it comes."""

import os
import subprocess
import sys

import pytest

from tests.support.root import ROOT
from worker.interrupt import INTERRUPTED

# Sends the signal from the midst of an import, which is when a traceback would be long. A job in
# the background, as which these tests may run, ignores it at first.
INTERRUPTING = """
import importlib.abc, os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
"""
START = "from worker.start import main\nmain()\n"
IGNORING = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "module", ["click", "pydantic_settings", "worker.cli.commands.watch.status"]
)
def test_ctrl_c_during_the_imports_is_one_line(module: str) -> None:
    done = python(INTERRUPTING.format(module=module) + START, "status", "--help")
    assert done.returncode == INTERRUPTED
    assert done.stderr == "Interrupted before anything was begun.\n"


def test_a_command_that_was_started_with_ctrl_c_ignored_goes_on() -> None:
    done = python(INTERRUPTING.format(module="click") + IGNORING + START, "explain", "credentials")

    assert done.returncode == 0, done.stderr
    assert "credentials" in done.stdout
