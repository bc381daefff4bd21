"""What `validate` shows of the messages."""

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName, Recipient
from pipeline.intake.preflight.previews import MessagePreview, message_previews
from tests.pipeline.intake.builders import a_campaign
from tests.pipeline.intake.outside import composer


def preview(campaign: Campaign, recipient: Recipient) -> MessagePreview:
    [shown] = message_previews(campaign, [recipient], composer)
    return shown


def test_a_message_to_the_app_is_shown_with_its_title() -> None:
    campaign = a_campaign(
        delivery={"channels": ["webhook", "email"]},
        webhook={"title": "For {{ name }}", "body": "Hello {{ name }}"},
    )
    shown = preview(campaign, Recipient(id="r1", name="Ada"))

    assert (shown.channel, shown.to) == (ChannelName.WEBHOOK, "r1")
    assert (shown.subject, shown.text) == ("For Ada", "Hello Ada")


def test_a_template_that_cannot_be_filled_is_reported() -> None:
    campaign = a_campaign(delivery={"channels": ["webhook"]}, webhook={"body": "{{ city }}"})
    shown = preview(campaign, Recipient(id="r1"))

    assert "cannot be filled" in shown.failure
