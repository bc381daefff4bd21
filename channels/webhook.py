"""The webhook channel: messages are posted to the customer's own app, per Standard Webhooks."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import (
    BlockedError,
    DeliveryError,
    InputError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import (
    ChannelName,
    DeliveryKey,
    Message,
    Receipt,
    Recipient,
    ReturnPaths,
)
from pipeline.domain.ports import SendGuard
from pipeline.domain.templates import Template, template_values
from pipeline.rewards.answers import retry_after

_LEAVING = "http11.send_request_headers.started"
_IDLE_S = 4.0  # many servers (uvicorn, Node.js) drop an idle connection after five
_DRAIN_S = 1.0
_LARGEST_ANSWER = 65_536
_NO_WAY_BACK = ReturnPaths()
_FATAL = frozenset({401, 403, 410})
_WRONG_ADDRESS = frozenset({404, 405})
_REPEATED = frozenset({408, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """
    Where messages are posted, and what they are signed with.

    `secret` is base64, with or without `whsec_`; `timeout` is seconds until the answer begins.
    """

    url: str
    secret: str = field(repr=False)
    connections: int = 10
    timeout: float = 15.0


class WebhookComposer:
    """
    The templates of one campaign; `compose` is pure, equal arguments give equal messages.

    Raises InputError if a template cannot be used.
    """

    def __init__(self, campaign: Campaign) -> None:
        content = campaign.webhook
        if content is None:
            msg = f"campaign {campaign.id} has no [webhook] section"
            raise InputError(msg)
        self._campaign = campaign.id
        self._body = Template.compile(content.body, html=False, where="webhook.body")
        self._title = (
            Template.compile(content.title, html=False, where="webhook.title")
            if content.title
            else None
        )

    def compose(
        self,
        recipient: Recipient,
        link: str,
        key: DeliveryKey,
        *,
        sent_at: float,  # noqa: ARG002 - the port's: the time is in the signature
        returns: ReturnPaths = _NO_WAY_BACK,  # noqa: ARG002 - the port's: the app answers at once
    ) -> Message:
        """Return the message, its content compact JSON; raises PermanentError."""
        filled = template_values(recipient, link)
        document = {
            "type": "claimcast.message",
            "campaign": self._campaign,
            "recipient": recipient.id,
            "title": self._title.render(filled) if self._title else None,
            "body": self._body.render(filled),
            "link": link,
        }
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return Message(key=key, to=recipient.id, content=text.encode(errors="replace"), link=link)


class WebhookChannel:
    """
    Implements `pipeline.domain.ports.Channel`; connections are opened on first use and kept.

    The delivery key goes along as `webhook-id`, by which the app knows a repetition. Redirects
    are not followed: the link would follow them.
    """

    name: ChannelName = ChannelName.WEBHOOK

    def __init__(self, target: WebhookTarget) -> None:
        # Below this level httpcore logs what it could not parse.
        logging.getLogger("httpcore").setLevel(logging.INFO)
        self.connections = self.senders = target.connections
        self._url = target.url
        self._timeout = target.timeout
        self._signer = Webhook(target.secret)
        self._slots = asyncio.Semaphore(target.connections)
        self._client = _client(target)

    def composer(self, campaign: Campaign) -> WebhookComposer:
        """Compile the campaign's templates; raises InputError if they cannot be used."""
        return WebhookComposer(campaign)

    async def send(self, message: Message, send_guard: SendGuard) -> Receipt:
        """Post one message; see `pipeline.domain.ports.Channel.send`."""
        async with self._slots:
            headers = {**self._signature(message), "Content-Type": "application/json"}
            request = self._client.build_request(
                "POST", self._url, content=message.content, headers=headers
            )
            response = await self._exchange(request, _WebhookTrace(send_guard))
        error = classify_response(response.status_code, response.headers)
        if error is not None:
            raise error
        return Receipt()

    async def check(self) -> str:
        """Ask for the headers alone; whatever the answer, the app can be reached."""
        async with self._slots:
            request = self._client.build_request("HEAD", self._url)
            try:
                await self._exchange(request, _WebhookTrace(lambda: None))
            except UncertainError as error:
                raise BlockedError(error.code) from None
        # Only where it is: some keep a token in the path.
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc} answers; messages are posted to it, signed."

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        await self._client.aclose()

    def _signature(self, message: Message) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "webhook-id": message.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message.key, now, message.content.decode()),
            "Idempotency-Key": message.key,
        }

    async def _exchange(
        self, request: httpx.Request, departure: "_WebhookTrace"
    ) -> httpx.Response:
        """Send one request; return the answer's head, once the rest is out of the way."""
        if self._client.is_closed:
            code = "webhook_closed"
            raise BlockedError(code)
        request.extensions = {**request.extensions, "trace": departure}
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.send(request, stream=True)
        except Exception as error:
            if error is departure.refusal:
                raise
            # Not chained: what httpx says may quote headers.
            raise post_failure(error, left=departure.left) from None
        await _finish(response)
        return response


def classify_response(status: int, headers: Mapping[str, str]) -> DeliveryError | None:
    """
    Return what an HTTP *status* means for the message that was posted; None if it was taken.

    *headers* may ask for a wait. As Standard Webhooks has it, only 2xx means taken; a repetition
    of what was half done is safe, because the app knows it by its id.
    """
    code = f"webhook_{status}"
    if 200 <= status < 300:
        return None
    if status >= 500 or status in _REPEATED:
        return TransientError(code, retry_after=retry_after(headers, datetime.now(UTC)))
    if status < 400 or status in _WRONG_ADDRESS or status in _FATAL:
        return BlockedError(code, fatal=status in _FATAL)
    return PermanentError(code)


def post_failure(error: Exception, *, left: bool) -> DeliveryError:
    """Return what it means that there was no answer, before or after the request *left*."""
    if left:
        return UncertainError(_code(error))
    return BlockedError("webhook_unreachable", type(error).__name__)


def _code(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "webhook_timeout"
    if isinstance(error, httpx.ProtocolError) and "disconnected" not in str(error):
        return "webhook_bad_answer"
    return "webhook_reset"


@dataclass(slots=True)
class _WebhookTrace:
    """Asks the send guard when httpcore is about to write the request (its `trace` extension)."""

    send_guard: SendGuard
    left: bool = False
    refusal: Exception | None = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:  # noqa: ARG002 - httpcore calls it so
        if event != _LEAVING:
            return
        try:
            self.send_guard()
        except Exception as error:
            self.refusal = error
            raise
        self.left = True


def _client(target: WebhookTarget) -> httpx.AsyncClient:
    limits = httpx.Limits(
        max_connections=target.connections,
        max_keepalive_connections=target.connections,
        keepalive_expiry=_IDLE_S,
    )
    # Connecting and TLS end before the whole does, so that what never left is known as such.
    timeout = httpx.Timeout(target.timeout, connect=target.timeout / 4, pool=None)
    return httpx.AsyncClient(
        timeout=timeout,
        limits=limits,
        headers={"User-Agent": "claimcast", "Accept-Encoding": "identity"},
        follow_redirects=False,
    )


async def _finish(response: httpx.Response) -> None:
    """Read a short answer to its end, so that the connection can be used again."""
    try:
        # The status has said everything: what goes wrong here changes nothing.
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                async for _ in response.aiter_raw():
                    if response.num_bytes_downloaded > _LARGEST_ANSWER:
                        break
    finally:
        await response.aclose()
