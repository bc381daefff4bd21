"""Commands end as the page of exit statuses says."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL

import pytest

from tests.docs.documents import document
from tests.support.root import ROOT
from worker.cli import main
from worker.cli.console.entry import BAD_INPUT, NOT_ALL_REACHED, OK, UNREACHABLE
from worker.interrupt import INTERRUPTED

PAGE = document("docs/reference/exit-status.md")
NO_SERVER = {
    "CLAIMCAST_REDIS__URL": "redis://127.0.0.1:1",
    "CLAIMCAST_SECRET_KEYS": "0" * 43 + "=",
}


def run(
    folder: Path, words: str, settings: Mapping[str, str] | None = None, *, stdout: int = DEVNULL
) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", *words.split()],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **(settings or {})},
        stdout=stdout,
        stderr=DEVNULL,
        timeout=120,
        check=False,
    )
    return done.returncode


def test_the_table_has_the_statuses_of_the_code() -> None:
    table = PAGE.text.split("| status |")[1].split("\n\n")[0]
    there = [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert there == [OK, NOT_ALL_REACHED, BAD_INPUT, UNREACHABLE, INTERRUPTED]


@pytest.mark.parametrize(
    ("words", "settings", "status"),
    [
        ("explain credentials", {}, OK),
        ("explain no-such-code", {}, BAD_INPUT),
        ("no-such-command", {}, BAD_INPUT),
        ("validate no-such.toml no-such.csv", {}, BAD_INPUT),
        ("status", {"CLAIMCAST_NO_SUCH": "1"}, BAD_INPUT),
        ("status", NO_SERVER, UNREACHABLE),
        ("doctor", NO_SERVER, BAD_INPUT),  # which cannot reach Redis, but also has no channel
    ],
)
def test_a_command_ends_so(
    words: str, settings: Mapping[str, str], status: int, tmp_path: Path
) -> None:
    assert run(tmp_path, words, settings) == status


def test_output_that_nobody_reads_on_is_one(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(tmp_path, "explain --json", stdout=writer)
    finally:
        os.close(writer)
    assert done == NOT_ALL_REACHED


def test_every_command_with_a_status_of_its_own_is_there() -> None:
    named = set(re.findall(r"`claimcast ([\w-]+)", PAGE.text))
    assert {"run", "submit", "validate", "verify", "audit", "rekey", "doctor"} <= named
    assert named <= set(main.lazy_subcommands)
