"""Campaigns for the customer's own app: everybody with an id is reached."""

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName
from pipeline.domain.rate import Rate
from pipeline.intake.campaign_file import campaign_from_dict
from tests.pipeline.intake.builders import a_campaign, accepted, an_intake, campaign_data, told


def an_app_campaign(*channels: str, **content: str) -> Campaign:
    return a_campaign(
        delivery={"channels": [*channels, "webhook"]},
        webhook={"body": "Hello {{ name }}", **content},
    )


def test_everybody_is_reached_by_the_id_and_no_address_is_needed() -> None:
    intake = an_intake("id,name\nA,Ada\na,Bob\n", an_app_campaign())

    assert [person.address(ChannelName.WEBHOOK) for person in accepted(intake)] == ["A", "a"]
    assert intake.summary.reachable == {ChannelName.WEBHOOK: 2}


def test_a_person_without_an_e_mail_address_is_still_reached_by_the_app() -> None:
    intake = an_intake("id,name,email\n1,Ada,a@x.co\n2,Bob,\n", an_app_campaign("email"))

    assert len(accepted(intake)) == 2
    assert intake.summary.reachable == {ChannelName.EMAIL: 1, ChannelName.WEBHOOK: 2}


def test_an_id_that_repeats_is_reported_once() -> None:
    intake = an_intake("id,name\n1,Ada\n1,Bob\n", an_app_campaign())
    [problem] = told(intake)
    assert "is the same as on line 2" in problem


def test_a_row_without_an_id_is_reported_once() -> None:
    intake = an_intake("id,name\n1,Ada\n,Bob\n", an_app_campaign())
    [problem] = told(intake)
    assert "id" in problem
    assert "is missing" in problem


def test_a_column_that_a_template_uses_must_be_there() -> None:
    [problem] = told(an_intake("id,name\n1,Ada\n", an_app_campaign(title="In {{ city }}")))
    assert "is used by the template webhook.title, but there is no such column" in problem


def test_the_section_decides_about_uncertain_messages_and_the_rate() -> None:
    assert an_app_campaign().resends(ChannelName.WEBHOOK)
    assert not an_app_campaign(on_uncertain="hold").resends(ChannelName.WEBHOOK)
    limited = a_campaign(limits={"webhook": "5/s"})
    assert limited.limit(ChannelName.WEBHOOK) == Rate.parse("5/s")
    assert limited.limit(ChannelName.EMAIL) is None


@pytest.mark.parametrize(
    ("section", "field", "said"),
    [
        ({"body": "x", "titel": "y"}, "webhook.titel", 'did you mean "title"?'),
        ({"title": "y"}, "webhook.body", "is missing; add body"),
        ({"body": "{{ name"}, "webhook.body", "cannot be used: line 1"),
        ({"body": "x", "title": "{{ link }}"}, "webhook.title", "titles end up in logs"),
    ],
)
def test_a_fault_of_the_section_is_reported(
    section: dict[str, str], field: str, said: str
) -> None:
    data = campaign_data(delivery={"channels": ["webhook"]}, webhook=section)
    campaign, problems = campaign_from_dict(data)
    assert campaign is None
    [problem] = problems
    assert problem.field == field
    assert said in problem.message
