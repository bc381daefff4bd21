"""A campaign of another system that is refused is found in the log, and nobody's address is."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from config.settings import load_settings
from tests.pipeline.intake.builders import campaign_data
from tests.support.redis import Redis
from worker.executor.jobs import submit_campaign
from worker.wiring.engine import open_app
from worker.wiring.ledger import App

ROWS = [{"id": "1", "email": "ann@example.com"}]
BAD = {"id": "2", "email": "nobody"}
NO_LIST = "campaign.recipients must be a list of recipients that is not empty"


@pytest.fixture
async def app(
    redis: Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", valkey_url)
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", Fernet.generate_key().decode())
    async with open_app(load_settings(None)) as app:
        yield app


async def refused(app: App, **changes: object) -> tuple[str, dict[str, Any]]:
    """Return the answer to a campaign with *changes*, and the line of the log about it."""
    data = campaign_data(recipients=ROWS) | changes
    with capture_logs() as logs:
        answer = await submit_campaign({"app": app}, data)
    (line,) = (each for each in logs if each["event"] == "campaign.refused")
    assert "@" not in repr(line)
    return answer["error"], dict(line)


async def test_other_content_is_logged_with_the_campaign_and_the_sentence(app: App) -> None:
    await submit_campaign({"app": app}, campaign_data(recipients=ROWS))

    sentence, line = await refused(app, name="Ann <ann@example.com>")

    assert "`name` differs" in sentence
    assert (line["campaign"], line["why"]) == ("survey-2026-11", sentence)


@pytest.mark.parametrize(
    ("changes", "logged"),
    [
        ({"recipients": [*ROWS, BAD]}, {"campaign": "survey-2026-11", "problems": 1}),
        ({"typo": "x@example.com"}, {"campaign": "survey-2026-11", "problems": 1}),
        ({"recipients": []}, {"campaign": "survey-2026-11", "why": NO_LIST, "problems": 1}),
        (
            {"recipients": ROWS * 10_001},
            {"why": "10001 recipients are more than the 10000 per job"},
        ),
        ({"id": "ann@example.com"}, {"campaign": None, "problems": 1}),
        ({"id": ["a"]}, {"campaign": None, "problems": 1}),
    ],
)
async def test_every_refusal_is_logged_with_the_campaign_if_that_is_one(
    app: App, changes: dict[str, object], logged: dict[str, object]
) -> None:
    _, line = await refused(app, **changes)

    assert line | logged == line


async def test_what_is_wrong_with_keys_and_rows_is_reported_at_once(app: App) -> None:
    sentence, line = await refused(app, typo=1, recipients=[*ROWS, *[BAD] * 9])

    assert "campaign: typo: is not a key" in sentence
    assert "recipients, line 2: email: is not an e-mail address" in sentence
    assert sentence.count("recipients, line") == 5
    assert line["problems"] == 18, "the key, nine addresses, and an id that comes again"
    sentence, _ = await refused(app, typo=1, recipients=[])
    assert "campaign: typo: is not a key" in sentence
    assert NO_LIST in sentence
