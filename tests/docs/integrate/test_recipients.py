"""The page of the list of people shows what is really said and written."""

import io
import re

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import Recipient
from pipeline.intake.campaign_file import campaign_from_dict
from pipeline.intake.files.columns import MOST_COLUMNS, STANDARD
from pipeline.intake.files.lines import LINE_LIMIT
from pipeline.intake.recipients import Intake, read_recipients
from tests.docs.documents import document

PAGE = document("docs/integrate/recipients.md")
SOUND, FAULTY = PAGE.code("csv")
SAID, REJECTED = PAGE.code("text")


@pytest.fixture
def campaign() -> Campaign:
    found, problems = campaign_from_dict(
        {
            "id": "thanks",
            "name": "Thanks",
            "reward": {"product_id": "CVS", "value": "10.00"},
            "delivery": {"channels": ["email", "sms"]},
            "email": {"subject": "{{ name }}", "text": "{{ city }} {{ link }}"},
            "sms": {"body": "{{ link }}"},
        }
    )
    assert found is not None, problems
    return found


def read(
    text: str, campaign: Campaign, *, name: str = "people.csv", rejected: io.StringIO | None = None
) -> tuple[list[Recipient], Intake]:
    intake = read_recipients(
        io.BytesIO(text.encode()), campaign, name=name, keep=None, rejected=rejected
    )
    return [row.recipient for row in intake], intake


def test_both_formats_hold_the_same_list(campaign: Campaign) -> None:
    people, csv = read(SOUND, campaign)
    [objects] = PAGE.code("jsonl")
    same, ndjson = read(objects, campaign, name="people.ndjson")
    assert people == same
    assert len(people) == 2
    assert csv.summary.digest == ndjson.summary.digest
    assert not csv.problem_count + ndjson.problem_count


def test_what_is_said_of_mistakes_is_what_is_said(campaign: Campaign) -> None:
    _, intake = read(FAULTY, campaign)
    assert "".join(f"{problem}\n" for problem in intake.summary.problems) == SAID


def test_the_rejected_file_is_what_is_written(campaign: Campaign) -> None:
    output = io.StringIO()
    people, _ = read(FAULTY, campaign, rejected=output)
    assert output.getvalue() == REJECTED
    assert [person.id for person in people] == ["p-001", "p-003"]


def test_the_table_has_every_standard_column_and_the_limits() -> None:
    columns = PAGE.text.split("\n## Columns\n")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", columns, re.MULTILINE)) == STANDARD
    assert f"a row of {LINE_LIMIT:,} bytes, {MOST_COLUMNS} columns" in PAGE.text
