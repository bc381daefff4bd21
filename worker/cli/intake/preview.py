"""Messages as people would get them, with a link that is worth nothing."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from channels.email import EmailChannel, SmtpServer
from channels.webhook import WebhookComposer
from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import PermanentError
from pipeline.domain.models import ChannelName, Recipient, delivery_key
from pipeline.domain.templates import Template, values
from worker.wiring.values import smtp_server

EXAMPLE_LINK = "https://claim.example/EXAMPLE-LINK"

NO_SERVER = SmtpServer(host="localhost", sender="sender@example.com")
"""Enough to compose with, where no mail server is configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One rendered message; `failure` says why there is none."""

    recipient: str
    channel: ChannelName
    sender: str = ""
    to: str = ""
    subject: str = ""
    text: str = ""
    html: str | None = None
    failure: str = ""

    def lines(self) -> Iterator[str]:
        yield f"--- {self.channel} to {self.recipient}"
        if self.failure:
            yield f"cannot be rendered: {self.failure}"
            return
        heads = {"From": self.sender, "To": self.to, "Subject": self.subject}
        yield from (f"{name}: {value}" for name, value in heads.items() if value)
        yield ""
        yield self.text.rstrip("\n")
        if self.html is not None:
            yield f"[and {len(self.html):,} characters of HTML; --json shows them]"

    def as_json(self) -> dict[str, Any]:
        names = ("recipient", "sender", "to", "subject", "text", "html")
        shown = {name: getattr(self, name) for name in names}
        return {"channel": self.channel.value, **shown, "failure": self.failure or None}


def previews(
    campaign: Campaign, recipients: Sequence[Recipient], settings: Settings
) -> Iterator[Preview]:
    """
    Yield what each of *recipients* would get first, composed as for sending.

    Raises InputError if the templates, the sender or `reply_to` cannot be used.
    """
    for recipient in recipients:
        channel = next(each for each in campaign.delivery.channels if recipient.address(each))
        try:
            match channel:
                case ChannelName.EMAIL:
                    yield _email(campaign, recipient, settings)
                case ChannelName.SMS:
                    yield _sms(campaign, recipient)
                case ChannelName.WEBHOOK:
                    yield _webhook(campaign, recipient)
        except PermanentError as error:
            yield Preview(recipient=recipient.id, channel=channel, failure=error.detail)


def _email(campaign: Campaign, recipient: Recipient, settings: Settings) -> Preview:
    server = smtp_server(settings) if settings.smtp else NO_SERVER
    key = delivery_key(campaign.id, recipient.id, ChannelName.EMAIL)
    message = (
        EmailChannel(server)
        .composer(campaign)
        .compose(recipient, EXAMPLE_LINK, key, sent_at=time.time())
    )
    parsed = message_from_bytes(message.content, policy=policy.default)
    return Preview(
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


def _sms(campaign: Campaign, recipient: Recipient) -> Preview:
    assert campaign.sms is not None  # noqa: S101 - the model demands it of this channel
    body = Template.compile(campaign.sms.body, html=False, where="sms.body")
    return Preview(
        recipient=recipient.id,
        channel=ChannelName.SMS,
        to=recipient.phone,
        text=body.render(values(recipient, EXAMPLE_LINK)),
    )


def _webhook(campaign: Campaign, recipient: Recipient) -> Preview:
    key = delivery_key(campaign.id, recipient.id, ChannelName.WEBHOOK)
    message = WebhookComposer(campaign).compose(recipient, EXAMPLE_LINK, key, sent_at=time.time())
    document = json.loads(message.content)
    return Preview(
        recipient=recipient.id,
        channel=ChannelName.WEBHOOK,
        to=recipient.id,
        subject=document["title"] or "",
        text=document["body"],
    )
