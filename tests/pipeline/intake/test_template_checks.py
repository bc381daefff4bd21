import pytest

from pipeline.intake.campaign_file import campaign_from_dict
from pipeline.intake.template_checks import needed_columns
from tests.pipeline.intake.builders import a_campaign, campaign_data


def told(**email: str) -> list[str]:
    content = {"subject": "Hello", "text": "{{ link }}", **email}
    return [str(p) for p in campaign_from_dict(campaign_data(email=content))[1]]


@pytest.mark.parametrize("key", ["text", "html"])
@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("Hello", "does not hold {{ link }}, so nobody would get their link; add it"),
        ("{% if vip %}{{ link }}{% endif %}", "leaves out or changes {{ link }}"),
        ('{% if vip == "1" %}none{% else %}{{ link }}{% endif %}', "leaves out or changes"),
        ("{{ link | upper }}", "leaves out or changes {{ link }}"),
        ("\n{{ link", "cannot be used: line 2: "),
    ],
)
def test_message_without_its_link_is_a_problem(key: str, template: str, problem: str) -> None:
    problems = told(**{key: template})

    assert len(problems) == 1
    assert problems[0].startswith(f"campaign: email.{key}: {problem}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ link }}",
        "{% if name %}Hello {{ name }}: {% endif %}{{ link }}",
        "https://example.com/go?to={{ link | urlencode }}",
        "{{ link }}{{ name[0] }}",
    ],
)
def test_message_that_always_has_its_link_is_fine(template: str) -> None:
    assert told(text=template, html=template) == []


def test_subject_must_not_hold_the_link() -> None:
    [problem] = told(subject="Your reward: {{ link }}")

    assert problem.startswith("campaign: email.subject: must not hold {{ link }}")


def test_body_of_a_short_message_must_hold_the_link() -> None:
    data = campaign_data(sms={"body": "Your reward"})

    [problem] = campaign_from_dict(data)[1]

    assert problem.field == "sms.body"


def test_needed_columns_are_those_of_the_channels_in_use() -> None:
    email = {"subject": "{{ name }}", "text": "{{ link }} {{ points }} {{ name }}"}
    sms = {"body": "{{ link }} {{ shop }}"}

    assert needed_columns(a_campaign(email=email, sms=sms)) == {
        "name": "email.subject",
        "points": "email.text",
    }
    assert needed_columns(a_campaign(email=email, sms=sms, delivery={"channels": ["sms"]})) == {
        "shop": "sms.body"
    }
