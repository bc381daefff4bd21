"""A campaign as two files and as JSON: `validate --json` prints what a request is answered."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from config.settings import load_settings
from pipeline.intake import service
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.recipient_sources import RecipientsList
from pipeline.intake.request import IntakeRequest
from tests.worker.cli.files import Files, campaign_text
from worker.cli import main
from worker.wiring.intake import intake_ports

ANN = {"id": "1", "email": "ann@example.com", "name": "Zoë", "phone": "+14155552671"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "sound": [ANN, {"id": "2", "email": "ben@example.com", "name": "Ben", "phone": None}],
    "faulty": [ANN, {"id": "1", "email": "nobody", "name": "B"}, {"id": "3", "name": "C"}],
    "none": [],
}
CAMPAIGNS = {
    "sound": campaign_text(),
    "two channels": campaign_text(channels='["sms", "email"]'),
    "too dear": campaign_text(more='max_total = "5.00"'),
    "unknown key": campaign_text(more='max_totl = "5.00"'),
    "bad reply_to": campaign_text().replace("[sms]", 'reply_to = "nobody"\n[sms]'),
}


@pytest.mark.parametrize("skip_invalid", [False, True])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_a_request_is_answered_what_validate_prints(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    campaign: str,
    rows: str,
    *,
    skip_invalid: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"{json.dumps(row)}\n" for row in ROWS[rows])
    files = Files.written(tmp_path, CAMPAIGNS[campaign], lines, "people.ndjson")
    options = ["--json", "--preview", "2", *(["--skip-invalid"] if skip_invalid else [])]

    printed = CliRunner().invoke(main, ["validate", *files.words, *options])

    request = IntakeRequest(
        definition=CampaignDefinition.from_json(tomllib.loads(CAMPAIGNS[campaign])),
        recipients=RecipientsList(ROWS[rows]),
        keep=None,
        skip_invalid=skip_invalid,
    )
    validation = asyncio.run(
        service.validate(request, intake_ports(load_settings(None)), preview=2)
    )
    assert without_places(json.loads(printed.stdout)) == without_places(validation.as_json())
    assert printed.exit_code == (0 if validation.usable else 2)


def without_places(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without what a file is called, and lines that only a file has."""
    problems = [
        problem
        | {"where": "x", "line": None if problem["where"].startswith("camp") else problem["line"]}
        for problem in document["problems"]
    ]
    return document | {"problems": problems}
