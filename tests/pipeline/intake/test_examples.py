"""The shipped campaigns are sound, and show what they are meant to show."""

import unicodedata
from collections.abc import Iterator

import pytest

from pipeline.domain.models import Recipient
from pipeline.intake.campaign_file import load_campaign
from pipeline.intake.recipients import Summary, read_recipients
from tests.support.root import ROOT

EXAMPLES = ROOT / "examples"


def taken_in(name: str) -> tuple[list[Recipient], Summary]:
    campaign, problems = load_campaign(EXAMPLES / name / "campaign.toml")
    assert campaign is not None, problems
    with (EXAMPLES / name / "recipients.csv").open("rb") as stream:
        intake = read_recipients(stream, campaign, name="recipients.csv")
        people = [row.recipient for row in intake]
    assert intake.summary.problems == ()
    return people, intake.summary


def scripts(people: list[Recipient]) -> Iterator[str]:
    for person in people:
        for char in person.name:
            if char.isalpha():
                yield unicodedata.name(char).partition(" ")[0]


def test_survey_has_a_thousand_people_with_names_from_many_scripts() -> None:
    people, summary = taken_in("survey")

    assert summary.accepted == 1000
    assert set(scripts(people)) >= {
        *("LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "TAMIL", "THAI", "CJK"),
        *("HIRAGANA", "HANGUL", "GEORGIAN", "ARMENIAN", "ETHIOPIC"),
    }


def test_event_has_the_dialect_of_spreadsheets() -> None:
    content = (EXAMPLES / "event" / "recipients.csv").read_bytes()
    people, summary = taken_in("event")

    assert content.startswith(b"\xef\xbb\xbfid;email;")
    assert b"\r\n" in content
    assert summary.accepted == 60
    assert any("\n" in person.variables["note"] for person in people)


@pytest.mark.parametrize("name", ["survey", "event"])
def test_nobody_in_the_examples_can_be_written_to(name: str) -> None:
    people, _ = taken_in(name)

    assert all(
        person.email.endswith(("@example.com", "@example.org", "@example.net"))
        for person in people
    )
