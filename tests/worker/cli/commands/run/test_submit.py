"""Submitting: taken in once, started when it is time, worked by others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.worker.cli.desk import Desk
from tests.worker.cli.files import Files, campaign_text, people

HOURS = timedelta(hours=3)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed Connection:ResourceWarning"),
]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_submitted_campaign_is_worked_by_a_worker(
    desk: Desk, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path).words

    told = desk.run("submit", *words).stderr
    desk.run("worker", "--burst")
    again = desk.run("submit", *words, "--wait").stdout

    assert "survey submitted: 2 people in 1 orders." in told
    assert "No worker is running: start one with `claimcast worker`." in told
    assert "reached      2 of 2" in again


def test_submitting_again_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    words = Files.written(tmp_path).words

    first = json.loads(desk.run("submit", *words, "--json").stdout)
    second = desk.run("submit", *words, "--json")

    assert first["state"] == "running"
    assert json.loads(second.stdout) == first
    assert "was submitted before, and is running" in second.stderr


def test_product_that_was_not_checked_is_said(desk: Desk, tmp_path: Path) -> None:
    result = desk.run("submit", *Files.written(tmp_path).words)

    assert "Warning: the product was not checked" in result.stderr


def test_other_content_under_the_same_id_is_refused(desk: Desk, tmp_path: Path) -> None:
    desk.run("submit", *Files.written(tmp_path).words)
    changed = Files.written(tmp_path, campaign_text(value="25.00"))

    assert "(10.00 then, 25.00 now) differs." in desk.run("submit", *changed.words, code=2).stderr


def test_problems_are_told_and_nothing_is_submitted(desk: Desk, tmp_path: Path) -> None:
    files = Files.written(tmp_path, people=people("1,nobody,A"))

    result = desk.run("submit", *files.words, "--json", code=2)

    assert "people.csv, line 2: email: is not an e-mail address" in result.stderr
    assert json.loads(result.stdout)["problem_count"] >= 1
    assert 'There is no campaign "survey"' in desk.run("status", "survey", code=2).stderr


@pytest.mark.parametrize("zone", ["+05:30", "Z"])
def test_start_is_kept_and_told(desk: Desk, tmp_path: Path, zone: str) -> None:
    start = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S") + zone
    words = Files.written(tmp_path).words

    told = desk.run("submit", *words, "--at", start).stderr
    status = json.loads(desk.run("status", "survey", "--json").stdout)

    wanted = moment(start).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    assert f"it starts at {wanted}" in told
    assert status["state"] == "scheduled"
    again = desk.run("submit", *words, "--at", "2099-01-01T00:00Z").stderr
    assert f"Its start stays as it was then: {wanted}" in again


def test_start_without_a_zone_is_local_time(desk: Desk, tmp_path: Path) -> None:
    start = (datetime.now().astimezone() + HOURS).replace(microsecond=0)

    told = desk.run(
        "submit",
        *Files.written(tmp_path).words,
        "--at",
        start.replace(tzinfo=None).isoformat(),
    ).stderr

    assert f"is taken as local time: {start.isoformat()}" in told


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("2020-01-01T00:00Z", "2020-01-01T00:00:00Z is in the past"),
        ("tomorrow", '"tomorrow" is not a time such as 2026-12-01T09:00+01:00'),
    ],
)
def test_start_that_cannot_be_is_refused(
    desk: Desk, tmp_path: Path, start: str, sentence: str
) -> None:
    result = desk.run("submit", *Files.written(tmp_path).words, "--at", start, code=2)

    assert sentence in result.stderr
    assert 'There is no campaign "survey"' in desk.run("status", "survey", code=2).stderr


def test_waiting_for_a_paused_campaign_ends_at_once(desk: Desk, tmp_path: Path) -> None:
    words = Files.written(tmp_path).words
    desk.run("submit", *words)
    desk.run("pause", "survey")

    assert "survey): paused" in desk.run("submit", *words, "--wait", code=1).stdout
