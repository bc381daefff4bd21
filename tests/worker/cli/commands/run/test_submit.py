"""Submitting: taken in once, started when it is time, worked by others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.files import Files, campaign_text, people

HOURS = timedelta(hours=3)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed Connection:ResourceWarning"),
]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_submitted_campaign_is_worked_by_a_worker(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path).words

    output = cli.run("submit", *words).stderr
    cli.run("worker", "--burst")
    again = cli.run("submit", *words, "--wait").stdout

    assert "survey submitted: 2 people in 1 orders." in output
    assert "No worker is running: start one with `claimcast worker`." in output
    assert "reached      2 of 2" in again


def test_submitting_again_changes_nothing(cli: CommandLine, tmp_path: Path) -> None:
    words = Files.written(tmp_path).words

    first = json.loads(cli.run("submit", *words, "--json").stdout)
    second = cli.run("submit", *words, "--json")

    assert first["state"] == "running"
    assert json.loads(second.stdout) == first
    assert "was submitted before, and is running" in second.stderr


def test_product_that_was_not_checked_is_said(cli: CommandLine, tmp_path: Path) -> None:
    result = cli.run("submit", *Files.written(tmp_path).words)

    assert "Warning: the product was not checked" in result.stderr


def test_other_content_under_the_same_id_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    cli.run("submit", *Files.written(tmp_path).words)
    changed = Files.written(tmp_path, campaign_text(value="25.00"))

    assert "(10.00 then, 25.00 now) differs." in cli.run("submit", *changed.words, code=2).stderr


def test_problems_are_reported_and_nothing_is_submitted(cli: CommandLine, tmp_path: Path) -> None:
    files = Files.written(tmp_path, people=people("1,nobody,A"))

    result = cli.run("submit", *files.words, "--json", code=2)

    assert "people.csv, line 2: email: is not an e-mail address" in result.stderr
    assert json.loads(result.stdout)["problem_count"] >= 1
    assert 'There is no campaign "survey"' in cli.run("status", "survey", code=2).stderr


@pytest.mark.parametrize("zone", ["+05:30", "Z"])
def test_start_is_kept_and_shown(cli: CommandLine, tmp_path: Path, zone: str) -> None:
    start = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S") + zone
    words = Files.written(tmp_path).words

    output = cli.run("submit", *words, "--at", start).stderr
    status = json.loads(cli.run("status", "survey", "--json").stdout)

    wanted = moment(start).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    assert f"it starts at {wanted}" in output
    assert status["state"] == "scheduled"
    again = cli.run("submit", *words, "--at", "2099-01-01T00:00Z").stderr
    assert f"Its start stays as it was then: {wanted}" in again


def test_start_without_a_zone_is_local_time(cli: CommandLine, tmp_path: Path) -> None:
    start = (datetime.now().astimezone() + HOURS).replace(microsecond=0)

    output = cli.run(
        "submit",
        *Files.written(tmp_path).words,
        "--at",
        start.replace(tzinfo=None).isoformat(),
    ).stderr

    assert f"is taken as local time: {start.isoformat()}" in output


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("2020-01-01T00:00Z", "2020-01-01T00:00:00Z is in the past"),
        ("tomorrow", '"tomorrow" is not a time such as 2026-12-01T09:00+01:00'),
    ],
)
def test_start_that_cannot_be_is_refused(
    cli: CommandLine, tmp_path: Path, start: str, sentence: str
) -> None:
    result = cli.run("submit", *Files.written(tmp_path).words, "--at", start, code=2)

    assert sentence in result.stderr
    assert 'There is no campaign "survey"' in cli.run("status", "survey", code=2).stderr


def test_waiting_for_a_paused_campaign_ends_at_once(cli: CommandLine, tmp_path: Path) -> None:
    words = Files.written(tmp_path).words
    cli.run("submit", *words)
    cli.run("pause", "survey")

    assert "survey): paused" in cli.run("submit", *words, "--wait", code=1).stdout
