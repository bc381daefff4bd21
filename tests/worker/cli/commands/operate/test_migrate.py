"""Data of another format, in every command that opens the ledger."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from redis import Redis

from pipeline.domain.stored_format import OURS
from tests.pipeline.installation import Installation
from tests.support.root import ROOT
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.files import Files
from tests.worker.cli.prepared import ID
from worker.cli import main

CURRENT = str(OURS.written).encode()
WORDS: Mapping[str, tuple[str, ...]] = {
    "audit": (),
    "bounces": (),
    "cancel": (ID, "--yes"),
    "doctor": (),
    "edit": (ID, "campaign.toml", "--yes"),
    "forget": (ID, "r1", "--yes"),
    "limits": ("set", "email", "5/s"),
    "migrate": (),
    "pause": (ID,),
    "purge": (ID, "--yes"),
    "recipient": (ID, "r1"),
    "rekey": (),
    "reorder": (ID, "1", "--yes"),
    "report": (ID,),
    "resend": (ID, "r1", "--yes"),
    "resume": (ID,),
    "retry": (ID, "--failed"),
    "run": ("campaign.toml", "people.csv", "--yes"),
    "serve": ("--port", "0"),
    "status": (),
    "submit": ("campaign.toml", "people.csv", "--yes"),
    "suppress": ("add", "--email", "a@example.com"),
    "test-send": ("campaign.toml", "--email", "a@example.com"),
    "verify": (ID,),
    "worker": ("--burst",),
}
"""What is typed behind each command, so that it gets as far as the ledger."""

WITHOUT = {"explain", "sandbox", "validate"}
"""They need no ledger."""


def dump(cli: CommandLine) -> dict[bytes, bytes]:
    with Redis.from_url(cli.url) as redis:
        return {key: redis.dump(key) for key in redis.scan_iter()}


def mark(cli: CommandLine) -> object:
    with Redis.from_url(cli.url) as redis:
        return redis.hget("cc:keys", "format")


def set_mark(cli: CommandLine, written: str | None) -> None:
    with Redis.from_url(cli.url) as redis:
        if written is None:
            redis.hdel("cc:keys", "format")
        else:
            redis.hset("cc:keys", "format", written)


@pytest.fixture
def filled(cli: CommandLine, tmp_path: Path) -> CommandLine:
    """A command line with a campaign, and the files of another one."""
    cli.prepare(Installation.submitted)
    Files.written(tmp_path)
    return cli


def test_every_command_is_tried_or_needs_no_ledger() -> None:
    assert set(WORDS) | WITHOUT == set(main.lazy_subcommands)
    assert not set(WORDS) & WITHOUT


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("command", WORDS)
def test_newer_data_is_reported_and_not_changed(filled: CommandLine, command: str) -> None:
    set_mark(filled, "7")
    before = dump(filled)
    output = filled.run(command, *WORDS[command], code=2).output
    assert "The data in Redis is of format 7" in output
    assert f"format {OURS.written}: update claimcast on this machine" in output
    assert dump(filled) == before


def test_unmarked_data_is_marked_by_migrate_and_nothing_else_changes(filled: CommandLine) -> None:
    set_mark(filled, None)
    before = dump(filled)
    for _ in range(2):
        output = filled.run("migrate").stderr
        assert f"format {OURS.written}, the current one: nothing to do" in output
        assert mark(filled) == CURRENT
    after = dump(filled)
    assert {key for key in before | after if before.get(key) != after.get(key)} == {b"cc:keys"}
    filled.run("verify", ID)


def test_unmarked_data_is_read_and_marked_by_what_changes_something(filled: CommandLine) -> None:
    set_mark(filled, None)
    filled.run("status", ID)
    filled.run("verify", ID)
    assert mark(filled) is None
    filled.run("pause", ID)
    assert mark(filled) == CURRENT


def test_processes_that_make_an_installation_at_once_agree(cli: CommandLine) -> None:
    async def add(number: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker.cli", "suppress", "add"),
            *("--email", f"p{number}@example.com"),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )
        _, output = await process.communicate()
        assert process.returncode == 0, output.decode()

    async def add_all() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(add(number))

    asyncio.run(add_all())
    assert mark(cli) == CURRENT
    for number in range(3):
        found = cli.run("suppress", "list", "--check", f"p{number}@example.com").stdout
        assert "suppressed: operator" in found
