"""A command waits for nothing that only others need, and all of them are there."""

import os
import subprocess
import sys

import click
import pytest

from tests.pipeline.installation import Installation
from tests.support.root import ROOT
from tests.worker.cli.command_line import CommandLine
from worker.cli import main

ID = "survey-2026-11"

# Each of them takes long to import, and a glance at a campaign needs none.
HEAVY = {
    "aiohttp", "aiosmtplib", "arq", "channels", "email_validator", "httpx", "jinja2",
    "phonenumbers", "prometheus_client", "requests", "rich", "sandbox", "standardwebhooks",
    "starlette", "structlog", "twilio", "uvicorn",
}  # fmt: skip
WITH_MODULES = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from worker.start import main
main()
"""


async def submit(ledger: Installation) -> None:
    await ledger.submitted()


def imported_by(*words: str) -> set[str]:
    """Return the modules that are there when the command ends, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", WITH_MODULES, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ("status", ID),
        ("status", ID, "--json"),
        ("recipient", ID, "r1"),
        ("pause", ID),
        ("cancel", ID, "--yes"),
        ("retry", ID, "--failed"),
        ("limits", "set", "email", "5/s"),
        ("audit",),
    ],
    ids=" ".join,
)
def test_a_quick_command_imports_nothing_heavy(cli: CommandLine, words: tuple[str, ...]) -> None:
    cli.prepare(submit)

    modules = imported_by(*words)

    assert "redis" in modules, "the modules were not listed"
    assert not HEAVY & modules


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_there_is_can_be_seen_without_importing_it(option: str) -> None:
    modules = imported_by(option)

    ours = {name for name in modules if name.startswith(("worker", "pipeline", "config"))}
    assert ours == {
        "worker",
        "worker.interrupt",
        "worker.start",
        "worker.cli",
        "worker.cli.console",
        "worker.cli.console.lazy",
        "worker.cli.console.synonyms",
    }
    assert not {"asyncio", "redis", "pydantic"} & modules


@pytest.mark.parametrize("name", list(main.lazy_subcommands))
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.name == name
    assert command.help
