"""What `validate` shows of the messages."""

from config.settings import load_settings
from pipeline.domain.models import ChannelName, Recipient
from tests.pipeline.intake.builders import a_campaign
from worker.cli.intake.preview import previews


def test_a_message_to_the_app_is_shown_with_its_title() -> None:
    campaign = a_campaign(
        delivery={"channels": ["webhook", "email"]},
        webhook={"title": "For {{ name }}", "body": "Hello {{ name }}"},
    )
    [shown] = previews(campaign, [Recipient(id="r1", name="Ada")], load_settings(None))

    assert (shown.channel, shown.to) == (ChannelName.WEBHOOK, "r1")
    assert (shown.subject, shown.text) == ("For Ada", "Hello Ada")


def test_what_cannot_be_filled_is_told() -> None:
    campaign = a_campaign(delivery={"channels": ["webhook"]}, webhook={"body": "{{ city }}"})
    [shown] = previews(campaign, [Recipient(id="r1")], load_settings(None))

    assert "cannot be filled" in shown.failure
