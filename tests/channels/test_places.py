"""
Every channel is known wherever channels are told apart; CONTRIBUTING.md has the same places.

What a `match` tells apart is not here, as mypy sees a channel that is missing there.
"""

import re
from typing import Any

import pytest
from pydantic import BaseModel

from config.settings import LimitSettings, Settings
from config.variables import variables
from pipeline.domain.campaign import Campaign, CampaignLimits
from pipeline.domain.campaign_versions import is_editable
from pipeline.domain.models import ADDRESS_FIELD, ChannelName, Recipient
from pipeline.domain.rate import FleetLimit
from pipeline.intake.campaign_file import campaign_from_dict, stand_in
from pipeline.intake.preflight.outside import missing_channels
from pipeline.intake.template_checks import template_faults
from pipeline.operations.resend_rules import BY
from tests.config.test_settings import SMTP, TWILIO, WEBHOOK, load
from worker.web.pages import question
from worker.wiring.composers import composer
from worker.wiring.engine import open_channels

CONFIGURED = SMTP | TWILIO | WEBHOOK
"""What the environment says where every channel is configured."""

each_channel = pytest.mark.parametrize("channel", ChannelName)


def campaign_over(channel: ChannelName) -> Campaign:
    """Return a campaign whose every section is the least that is sound."""
    found = stand_in({"delivery": {"channels": [channel]}})
    assert found is not None, "there is no content to stand in for that of a broken file"
    return found


def content(channel: ChannelName) -> BaseModel:
    found = campaign_over(channel).content(channel)
    assert found is not None
    return found


@each_channel
def test_a_recipient_has_an_address_for_it(channel: ChannelName) -> None:
    ada = Recipient(id="r1", email="ada@example.com", phone="+4915112345678")
    assert ADDRESS_FIELD[channel]
    assert ada.address(channel)


@each_channel
def test_its_messages_can_be_edited_in_flight(channel: ChannelName) -> None:
    kept = {"on_uncertain"}
    keys = set(type(content(channel)).model_fields) - kept
    assert keys
    assert all(is_editable(f"{channel}.{key}") for key in keys)


@each_channel
def test_its_templates_are_checked(channel: ChannelName) -> None:
    broken = dict.fromkeys(type(content(channel)).model_fields, "{{ link")
    assert [key for key, _ in template_faults({channel.value: broken})]


@each_channel
def test_a_wrong_key_in_its_section_is_reported_with_the_right_ones(channel: ChannelName) -> None:
    data: dict[str, Any] = campaign_over(channel).model_dump(mode="json", exclude_none=True)
    data[channel]["nonsense"] = "x"
    _, problems = campaign_from_dict(data)
    [message] = [problem.message for problem in problems if problem.field == f"{channel}.nonsense"]
    keys = message.partition("known here are ")[2].split(", ")
    assert set(keys) >= set(type(content(channel)).model_fields)


def test_each_has_a_limit_of_the_fleet_and_one_of_a_campaign() -> None:
    channels = {channel.value for channel in ChannelName}
    assert set(LimitSettings.model_fields) == channels | {FleetLimit.ORDERS, FleetLimit.READS}
    assert set(CampaignLimits.model_fields) == channels
    assert all(is_editable(f"limits.{channel}") for channel in channels)


def test_each_has_a_word_for_people() -> None:
    assert set(BY) == set(ChannelName)


def test_each_says_what_to_set_where_it_is_not_configured() -> None:
    keys = {variable.name for variable in variables(Settings)}
    for channel in ChannelName:
        [sentence] = missing_channels(campaign_over(channel), available=())
        named = set(re.findall(r"CLAIMCAST_\w+", sentence))
        assert named
        assert named <= keys


@each_channel
def test_the_page_for_unsubscribing_has_words_for_it(channel: ChannelName) -> None:
    assert b"any more messages " in question(channel).body


async def test_each_is_opened_where_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_channels(load(monkeypatch, **CONFIGURED)) as channels:
        assert set(channels) == set(ChannelName)


def test_each_composes_its_own_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **CONFIGURED)
    made = {type(composer(settings, campaign_over(name), name)) for name in ChannelName}
    assert len(made) == len(ChannelName)
