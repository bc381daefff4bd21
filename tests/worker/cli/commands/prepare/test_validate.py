"""Validating reports everything that is wrong, changes nothing and needs nothing."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from sandbox.server import Sandbox
from tests.support.root import ROOT
from tests.worker.cli.files import DEFECTS, OUTSIDE, PEOPLE, Defect, Files, campaign_text, people
from worker.cli import main

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def _nothing_to_connect_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", "redis://127.0.0.1:1/0")


def validate(*words: str, code: int = 0, typed: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, ["validate", *words], input=typed)
    assert result.exit_code == code, result.output
    return result


def document(*words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(validate(*words, "--json", code=code).stdout)
    return found


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_every_defect_is_reported_by_line_and_changes_nothing(
    tmp_path: Path, defect: Defect
) -> None:
    files = Files.written(tmp_path, defect.campaign, defect.people, defect.file)
    before = sorted(tmp_path.iterdir())

    assert defect.message in validate(*files.words, code=2).stdout
    assert not document(*files.words, code=2)["valid"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("defect", OUTSIDE, ids=lambda defect: defect.name)
def test_what_the_account_does_not_offer_is_a_problem(tmp_path: Path, defect: Defect) -> None:
    files = Files.written(tmp_path, defect.campaign, defect.people)

    assert defect.message in validate(*files.words, code=2).stdout


def test_what_is_offered_is_checked_without_redis(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", "redis://127.0.0.1:1/0")
    found = document(*Files.written(tmp_path).words)

    assert found["valid"]
    assert found["warnings"] == []
    assert httpx.get(f"{sandbox.control_url}/account", timeout=120).json()["orders"] == []


def test_api_that_cannot_be_reached_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("BASE_URL", "http://127.0.0.1:1"),
        ("EMAIL", "a@example.com"),
        ("ACCESS_TOKEN", "t"),
    ):
        monkeypatch.setenv(f"CLAIMCAST_REWARDS__{name}", value)

    output = validate(*Files.written(tmp_path).words).stdout

    assert "Warning: The product was not checked: The rewards API cannot be reached" in output


def test_problems_of_both_files_are_reported_at_once(tmp_path: Path) -> None:
    files = Files.written(
        tmp_path, campaign_text(more="max_totl = 1"), people("1,one@example.com,A", "1,two,B")
    )

    printed = [problem["where"] for problem in document(*files.words, code=2)["problems"]]

    assert printed == ["campaign.toml", "people.csv", "people.csv"]


def test_first_fifty_are_shown_then_a_count_and_json_has_all(tmp_path: Path) -> None:
    rows = [f"{number},nobody,A" for number in range(70)]
    files = Files.written(tmp_path, people=people(*rows))

    lines = validate(*files.words, code=2).stdout.splitlines()
    problems = document(*files.words, code=2)["problems"]

    assert [line.partition(": ")[0] for line in lines[:50]] == [
        f"people.csv, line {number}" for number in range(2, 52)
    ]
    assert lines[50].startswith("... and ")
    assert "70 problems." in lines
    assert [problem["line"] for problem in problems] == list(range(2, 72))


def test_people_cost_and_reach_are_shown(tmp_path: Path) -> None:
    campaign = campaign_text(channels='["email", "sms"]')
    rows = people("1,one@example.com,A,", "2,,B,+14155552671", columns="id,email,name,phone")
    words = Files.written(tmp_path, campaign, rows).words

    found = document(*words)

    assert found["accepted"] == 2
    assert found["reachable"] == {"email": 1, "sms": 1}
    assert found["cost"] == {"value": "10.00", "total": "20.00", "currency": "USD"}
    assert "2 x 10.00 USD = 20.00 USD" in validate(*words).stdout


def test_preview_is_the_message_as_text_with_a_worthless_link(tmp_path: Path) -> None:
    words = Files.written(tmp_path).words

    output = validate(*words, "--preview", "1").stdout
    found = document(*words, "--preview", "5")["previews"]

    assert "Subject: Your reward, Zoë\n" in output
    assert "Hello Zoë: https://claim.example/EXAMPLE-LINK\n" in output
    assert [preview["recipient"] for preview in found] == ["1", "2"]
    assert found[1]["html"] == "<p>https://claim.example/EXAMPLE-LINK</p>\n"


def test_message_that_cannot_be_made_is_shown_as_such(tmp_path: Path) -> None:
    campaign = campaign_text().replace("Hello {{ name }}:", "{{ name.upper()[7] + 'x' }}")

    output = validate(*Files.written(tmp_path, campaign).words, "--preview", "1").stdout

    assert "cannot be rendered: email.text cannot be filled for this recipient" in output


def test_skip_invalid_judges_what_is_left(tmp_path: Path) -> None:
    files = Files.written(tmp_path, people=people("1,one@example.com,A", "2,nobody,B"))

    assert not document(*files.words, code=2)["valid"]
    found = document(*files.words, "--skip-invalid")

    assert (found["valid"], found["accepted"], found["rejected"]) == (True, 1, 1)


@pytest.mark.parametrize(
    "content",
    [
        '\N{BYTE ORDER MARK}id;email;name;note\r\n1;one@example.com;Zoë;"a\r\nb"\r\n\r\n',
        "id\temail\tname\n\n1\tone@example.com\tZoë\n",
        '{"id": "1", "email": "one@example.com", "name": "Zoë", "extra": 3}\n',
    ],
    ids=["semicolons, BOM, CRLF", "tabs and empty lines", "NDJSON"],
)
def test_every_dialect_is_read_from_standard_input(tmp_path: Path, content: str) -> None:
    files = Files.written(tmp_path)

    output = validate(str(files.campaign), "-", "--preview", "1", typed=content.encode()).stdout

    assert "people       1\n" in output
    assert "Subject: Your reward, Zoë" in output


def test_folder_in_the_place_of_a_file_is_reported(tmp_path: Path) -> None:
    files = Files.written(tmp_path)

    output = validate(str(tmp_path), str(tmp_path), code=2).stdout

    assert output.count("is a folder; name the file in it") == 2
    assert output.count(str(tmp_path)) == 2
    assert "is a folder" in validate(str(files.campaign), str(tmp_path), code=2).stdout


def test_misspelt_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIMCAST_REWARD__BASE_URL", "https://api.example.com")

    result = validate(*Files.written(tmp_path).words, code=2)

    assert "CLAIMCAST_REWARDS__BASE_URL" in result.stderr


@pytest.mark.parametrize("example", ["survey", "event"])
def test_examples_can_be_submitted(example: str) -> None:
    folder = EXAMPLES / example

    assert document(str(folder / "campaign.toml"), str(folder / "recipients.csv"))["valid"]


def test_people_are_not_in_the_warnings(tmp_path: Path) -> None:
    files = Files.written(tmp_path, people=PEOPLE + "3,secret person@example.com,C\n")

    output = validate(*files.words, code=2).output

    assert "secret" not in output
