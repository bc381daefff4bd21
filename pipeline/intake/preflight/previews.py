"""Messages as people would get them, with a link that has no value."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from typing import Any

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import PermanentError
from pipeline.domain.models import (
    ChannelName,
    Message,
    Recipient,
    ReturnPaths,
    delivery_key,
)
from pipeline.domain.ports import Composer
from pipeline.domain.templates import Template, template_values
from pipeline.intake.preflight.ports import ComposerFactory

EXAMPLE_LINK = "https://claim.example/EXAMPLE-LINK"

_ComposerOf = Callable[[ChannelName], Composer]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePreview:
    """One rendered message; `failure` says why there is none."""

    recipient: str
    channel: ChannelName
    sender: str = ""
    to: str = ""
    subject: str = ""
    text: str = ""
    html: str | None = None
    failure: str = ""

    def as_json(self) -> dict[str, Any]:
        names = ("recipient", "sender", "to", "subject", "text", "html")
        shown = {name: getattr(self, name) for name in names}
        return {"channel": self.channel.value, **shown, "failure": self.failure or None}


def message_previews(
    campaign: Campaign, recipients: Sequence[Recipient], composer: ComposerFactory
) -> Iterator[MessagePreview]:
    """
    Yield the first message of each of *recipients*, composed as for sending.

    Raises InputError if the templates, the sender or `reply_to` cannot be used.
    """

    @cache
    def compiled(channel: ChannelName) -> Composer:
        return composer(campaign, channel)

    for recipient in recipients:
        channel = next(each for each in campaign.delivery.channels if recipient.address(each))
        try:
            match channel:
                case ChannelName.EMAIL:
                    yield _email(campaign, recipient, compiled)
                case ChannelName.SMS:
                    yield _sms(campaign, recipient)
                case ChannelName.WEBHOOK:
                    yield _webhook(campaign, recipient, compiled)
        except PermanentError as error:
            yield MessagePreview(recipient=recipient.id, channel=channel, failure=error.detail)


def _email(campaign: Campaign, recipient: Recipient, composer: _ComposerOf) -> MessagePreview:
    message = _composed(campaign, recipient, composer, ChannelName.EMAIL)
    parsed = message_from_bytes(message.content, policy=policy.default)
    return MessagePreview(
        recipient=recipient.id,
        channel=ChannelName.EMAIL,
        sender=str(parsed["From"]),
        to=str(parsed["To"]),
        subject=str(parsed["Subject"]),
        text=_part(parsed, "plain") or "",
        html=_part(parsed, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else part.get_content().replace("\r\n", "\n")


def _sms(campaign: Campaign, recipient: Recipient) -> MessagePreview:
    assert campaign.sms is not None  # noqa: S101 - the model demands it of this channel
    # Not composed: also a text that is too long to be sent is shown.
    body = Template.compile(campaign.sms.body, html=False, where="sms.body")
    return MessagePreview(
        recipient=recipient.id,
        channel=ChannelName.SMS,
        to=recipient.phone,
        text=body.render(template_values(recipient, EXAMPLE_LINK)),
    )


def _webhook(campaign: Campaign, recipient: Recipient, composer: _ComposerOf) -> MessagePreview:
    message = _composed(campaign, recipient, composer, ChannelName.WEBHOOK)
    document = json.loads(message.content)
    return MessagePreview(
        recipient=recipient.id,
        channel=ChannelName.WEBHOOK,
        to=recipient.id,
        subject=document["title"] or "",
        text=document["body"],
    )


def _composed(
    campaign: Campaign, recipient: Recipient, composer: _ComposerOf, channel: ChannelName
) -> Message:
    key = delivery_key(campaign.id, recipient.id, channel)
    return composer(channel).compose(
        recipient, EXAMPLE_LINK, key, sent_at=time.time(), returns=ReturnPaths()
    )
