"""The command `report`: where it goes, who may read it, what it reveals."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from tests.pipeline.installation import Installation
from tests.worker.cli.desk import Desk
from tests.worker.cli.prepared import ID, finish, submit


def test_a_report_goes_to_standard_output(desk: Desk) -> None:
    desk.prepare(finish)
    rows = list(csv.DictReader(io.StringIO(desk.run("report", ID).stdout)))
    assert [row["recipient_id"] for row in rows] == [f"r{i}" for i in range(5)]
    assert len({row["link_ref"] for row in rows}) == 5
    document = json.loads(desk.run("report", ID, "--format", "json").stdout)
    assert [row["link_ref"] for row in document] == [row["link_ref"] for row in rows]


def test_a_report_file_is_private_and_replaced_at_once(desk: Desk, tmp_path: Path) -> None:
    desk.prepare(finish)
    path = tmp_path / "report.csv"
    path.write_text("old")
    path.chmod(0o644)
    result = desk.run("report", ID, "--output", str(path))
    assert result.stdout == ""
    assert path.read_text("utf-8") == desk.run("report", ID).stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".report")]


def test_a_report_that_fails_leaves_the_old_file(desk: Desk, tmp_path: Path) -> None:
    async def damage(ledger: Installation) -> None:
        await ledger.redis.delete(f"cc:{await finish(ledger)}:b:2")

    desk.prepare(damage)
    path = tmp_path / "report.csv"
    path.write_text("old")
    assert "Batch 2 is gone" in desk.run("report", ID, "--output", str(path), code=2).stderr
    assert path.read_text() == "old"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".report")]


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(desk: Desk, tmp_path: Path) -> None:
    desk.prepare(submit)
    path = tmp_path / "missing" / "report.csv"
    told = desk.run("report", ID, "--output", str(path), code=2).stderr
    assert told == f"Error: {path} cannot be written: No such file or directory.\n"


@pytest.mark.parametrize("option", ["--with-links", "--with-addresses"])
def test_revealing_needs_yes_and_leaves_a_trace(desk: Desk, option: str) -> None:
    desk.prepare(finish)
    refused = desk.run("report", ID, option, code=2)
    assert refused.stdout == ""
    assert "needs --yes" in refused.stderr
    revealed = desk.run("report", ID, option, "--yes")
    assert ("links.example" in revealed.stdout) == (option == "--with-links")
    assert ("p1@example.com" in revealed.stdout) == (option == "--with-addresses")
    assert "report.revealed" in revealed.stderr
    assert "links.example" not in revealed.stderr
    assert "report.revealed" not in desk.run("report", ID).stderr
