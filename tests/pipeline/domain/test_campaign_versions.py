"""What an edit may change, and which version a message went out with."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.campaign import Campaign, Window
from pipeline.domain.campaign_versions import differences, is_editable, version_at
from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.pipeline.intake.builders import a_campaign


def test_a_campaign_does_not_differ_from_itself() -> None:
    assert differences(a_campaign(), a_campaign()) == []


def test_differences_are_named_by_their_keys_in_the_order_of_the_file() -> None:
    other = a_campaign(
        name="Other",
        reward={"product_id": "CVS", "value": "11.00"},
        email={"subject": "S", "text": "{{ link }}", "html": "<p>{{ link }}</p>"},
        sms={"body": "{{ link }}"},
        limits={"email": "1/s"},
    )
    assert differences(a_campaign(), other) == [
        "name",
        "reward.value",
        "email.subject",
        "email.html",
        "sms",
        "limits.email",
    ]


def test_a_part_that_was_not_there_differs_as_a_whole() -> None:
    window = Window(start=time(9), end=time(20))
    delivery = a_campaign().delivery.model_copy(update={"window": window})
    other = a_campaign().model_copy(update={"delivery": delivery})
    assert differences(a_campaign(), other) == ["delivery.window"]


@pytest.mark.parametrize(
    "key",
    [
        *("email.subject", "email.text", "email.html", "email.reply_to", "sms.body"),
        *("webhook.title", "webhook.body", "limits.email", "limits.sms", "limits.webhook"),
    ],
)
def test_messages_and_limits_are_editable(key: str) -> None:
    assert is_editable(key)


def test_nothing_else_is_editable() -> None:
    parts = {name: field.annotation for name, field in Campaign.model_fields.items()}
    assert not any(is_editable(name) for name in parts)
    fixed = ["email.on_uncertain", "sms.on_uncertain", "webhook.on_uncertain", "reward.value"]
    fixed += ["delivery.mode", "delivery.channels", "delivery.window", "delivery.duplicates"]
    assert not any(map(is_editable, fixed))


def test_a_campaign_that_was_never_edited_has_the_version_that_it_began_with() -> None:
    assert CampaignSnapshot("1", {"sub": "1000", "ver": "1"}, 0).version_starts() == {1: 1000}


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=6, unique=True).map(sorted))
def test_an_attempt_has_the_last_version_that_had_begun(began: list[int]) -> None:
    fields = {"sub": str(began[0]), "ver": str(len(began))}
    fields |= {f"ver:{number}": str(at) for number, at in enumerate(began[1:], start=2)}
    versions = CampaignSnapshot("1", fields, 0).version_starts()
    for number, at in enumerate(began, start=1):
        assert version_at(versions, at) == number
        assert version_at(versions, at - 1) == max(1, number - 1)
