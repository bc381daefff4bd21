"""Addresses need not stand among the arguments, which everybody on the machine can see."""

from pathlib import Path

import httpx
import pytest

from sandbox.server import Sandbox
from tests.pipeline.installation import Installation
from tests.pipeline.operations.resends import OTHER, a_minute_passes
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.files import Files

ID = "survey-2026-11"


async def reach(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await a_minute_passes(ledger, serial)


def test_an_address_on_standard_input_is_resent_to(cli: CommandLine) -> None:
    cli.prepare(reach)

    output = cli.run("resend", ID, "r1", "--email", "-", "--yes", typed=f" {OTHER} \n").stderr

    assert "to o…@example.com" in output
    assert OTHER in cli.run("report", ID, "--with-addresses", "--yes").stdout


def test_an_address_on_standard_input_is_suppressed_and_found(cli: CommandLine) -> None:
    cli.run("suppress", "add", "--phone", "-", typed="+14155552671\n")
    found = cli.run("suppress", "list", "--check", "-", typed="+14155552671\n")

    assert found.stdout == "suppressed: operator\n"


def test_an_address_on_standard_input_is_written_to(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    campaign = str(Files.written(tmp_path).campaign)

    cli.run("test-send", campaign, "--email", "-", typed="ann@example.com\n")

    (mail,) = httpx.get(f"{sandbox.control_url}/mails", timeout=120).json()
    assert mail["to"] == "ann@example.com"


@pytest.mark.parametrize("typed", ["", "\n"])
def test_no_address_on_standard_input_is_a_sentence(cli: CommandLine, typed: str) -> None:
    cli.prepare(reach)

    output = cli.run("resend", ID, "r1", "--email", "-", code=2, typed=typed).stderr

    assert "Invalid value for '--email': there is no address on standard input" in output


def test_only_one_address_can_be_read(cli: CommandLine) -> None:
    output = cli.run(
        "resend", ID, "r1", "--email", "-", "--phone", "-", code=2, typed="a\n"
    ).stderr

    assert "Invalid value for '--phone': there is no address on standard input" in output
