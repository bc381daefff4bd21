"""Where alerts are sent: an address that takes signed posts, a mailbox, or both."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from channels.email import EmailChannel, EmailComposer
from channels.email.address import Mailbox
from channels.webhook import WebhookChannel, WebhookTarget
from config.settings import Settings
from pipeline.alerting.messages import Notice
from pipeline.domain.campaign import EmailContent
from pipeline.domain.errors import TransientError
from pipeline.domain.models import DeliveryKey, Message, Recipient
from pipeline.domain.ports import Channel
from worker.wiring.values import smtp_server

URL, EMAIL = "url", "email"
"""How a target is called in the records of alerts."""

_CONNECTIONS = 2
_ANSWER_SECONDS = 10.0
_MAIL_SECONDS = 30.0
_DELIVERY_SECONDS = 45.0  # below Pace.claim, so that no other worker sends it meanwhile
_CONTENT = EmailContent(subject="{{ headline }}", text="{{ content }}")


class Wording(Protocol):
    """How a notice becomes what the channel sends."""

    def __call__(self, notice: Notice) -> Message: ...


@dataclass(frozen=True, slots=True)
class Notifier:
    """One target, reached as people are: same time-outs, no redirects, answers not looked at."""

    name: str
    channel: Channel
    wording: Wording

    async def notify(self, notice: Notice) -> None:
        """
        Deliver one notice; raises DeliveryError. What may have arrived counts as failed.

        A repeated notice has the same webhook-id, or the same Message-ID.
        """
        try:
            async with asyncio.timeout(_DELIVERY_SECONDS):
                await self.channel.send(self.wording(notice), lambda: None)
        except TimeoutError:
            raise TransientError("alert_timeout") from None


@asynccontextmanager
async def open_notifiers(settings: Settings) -> AsyncIterator[Sequence[Notifier]]:
    """Make a notifier for each target that is set; raises InputError if one cannot be used."""
    async with AsyncExitStack() as stack:
        notifiers = [*_url(settings), *_email(settings)]
        for notifier in notifiers:
            await stack.enter_async_context(aclosing(notifier.channel))
        yield notifiers


def _url(settings: Settings) -> list[Notifier]:
    url, secret = settings.alert.url, settings.alert.secret
    if url is None or secret is None:
        return []
    target = WebhookTarget(
        url=url.get_secret_value(),
        secret=secret.get_secret_value(),
        connections=_CONNECTIONS,
        timeout=_ANSWER_SECONDS,
    )

    def wording(notice: Notice) -> Message:
        return Message(key=DeliveryKey(notice.id), to=URL, content=notice.as_json())

    return [Notifier(URL, WebhookChannel(target), wording)]


def _email(settings: Settings) -> list[Notifier]:
    if settings.alert.email is None:
        return []
    to = Mailbox.parse(settings.alert.email, where="CLAIMCAST_ALERT__EMAIL")
    server = replace(
        smtp_server(settings),
        connections=_CONNECTIONS,
        command_timeout=_MAIL_SECONDS,
        reply_timeout=_MAIL_SECONDS,
    )
    sender = Mailbox.parse(server.sender, where="the sender of e-mail")
    composer = EmailComposer(_CONTENT, sender)

    def wording(notice: Notice) -> Message:
        words = {"headline": notice.subject, "content": notice.text}
        recipient = Recipient(id=EMAIL, name=to.name, email=to.address, variables=words)
        return composer.compose(recipient, "", DeliveryKey(notice.id), sent_at=time.time())

    return [Notifier(EMAIL, EmailChannel(server), wording)]
