"""The command `report`: where it goes, who may read it, what it reveals."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish, submit


def test_a_report_goes_to_standard_output(cli: CommandLine) -> None:
    cli.prepare(finish)
    rows = list(csv.DictReader(io.StringIO(cli.run("report", ID).stdout)))
    assert [row["recipient_id"] for row in rows] == [f"r{i}" for i in range(5)]
    assert len({row["link_ref"] for row in rows}) == 5
    document = json.loads(cli.run("report", ID, "--format", "json").stdout)
    assert [row["link_ref"] for row in document] == [row["link_ref"] for row in rows]


def test_a_report_file_is_private_and_replaced_at_once(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(finish)
    path = tmp_path / "report.csv"
    path.write_text("old")
    path.chmod(0o644)
    result = cli.run("report", ID, "--output", str(path))
    assert result.stdout == ""
    assert path.read_text("utf-8") == cli.run("report", ID).stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".report")]


def test_a_report_that_fails_leaves_the_old_file(cli: CommandLine, tmp_path: Path) -> None:
    async def damage(ledger: Installation) -> None:
        await ledger.redis.delete(f"cc:{await finish(ledger)}:b:2")

    cli.prepare(damage)
    path = tmp_path / "report.csv"
    path.write_text("old")
    assert "Batch 2 is gone" in cli.run("report", ID, "--output", str(path), code=2).stderr
    assert path.read_text() == "old"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".report")]


def test_a_file_that_cannot_be_written_is_reported_in_one_sentence(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.prepare(submit)
    path = tmp_path / "missing" / "report.csv"
    output = cli.run("report", ID, "--output", str(path), code=2).stderr
    assert output == f"Error: {path} cannot be written: No such file or directory.\n"


@pytest.mark.parametrize("option", ["--with-links", "--with-addresses"])
def test_revealing_needs_yes_and_leaves_a_trace(cli: CommandLine, option: str) -> None:
    cli.prepare(finish)
    refused = cli.run("report", ID, option, code=2)
    assert refused.stdout == ""
    assert "needs --yes" in refused.stderr
    revealed = cli.run("report", ID, option, "--yes")
    assert ("links.example" in revealed.stdout) == (option == "--with-links")
    assert ("p1@example.com" in revealed.stdout) == (option == "--with-addresses")
    assert "report.revealed" in revealed.stderr
    assert "links.example" not in revealed.stderr
    assert "report.revealed" not in cli.run("report", ID).stderr
