"""Campaigns and files to take in."""

import io
from typing import Any

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import Recipient
from pipeline.intake.campaign_file import campaign_from_dict
from pipeline.intake.recipients import Intake, read_recipients


def campaign_data(**sections: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a file may hold
    """Return the keys of a sound e-mail campaign, with *sections* replaced."""
    return {
        "id": "survey-2026-11",
        "name": "November survey",
        "reward": {"product_id": "CVS", "value": "10.00"},
        "delivery": {"channels": ["email"]},
        "email": {"subject": "Your reward", "text": "{{ link }}"},
        **sections,
    }


def a_campaign(**sections: Any) -> Campaign:  # noqa: ANN401 - whatever a file may hold
    campaign, problems = campaign_from_dict(campaign_data(**sections))
    assert campaign is not None, problems
    return campaign


def both_channels(**delivery: Any) -> Campaign:  # noqa: ANN401 - whatever a file may hold
    return a_campaign(
        delivery={"channels": ["email", "sms"], **delivery}, sms={"body": "{{ link }}"}
    )


def an_intake(
    content: str | bytes, campaign: Campaign | None = None, *, name: str = "people.csv"
) -> Intake:
    data = content.encode() if isinstance(content, str) else content
    return read_recipients(io.BytesIO(data), campaign or a_campaign(), name=name, keep=None)


def accepted(intake: Intake) -> list[Recipient]:
    """Return all recipients; there must be no problem."""
    recipients = [row.recipient for row in intake]
    assert intake.summary.problems == ()
    return recipients


def told(intake: Intake) -> list[str]:
    """Return every problem as people see it, without the name of the file."""
    for _ in intake:
        pass
    return [str(problem).removeprefix("people.csv") for problem in intake.summary.problems]
