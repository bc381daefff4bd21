"""One-click unsubscribing (RFC 8058), by mail programs and by people."""

from email.message import Message
from email.parser import Parser
from typing import cast
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from worker.web import pages
from worker.web.bodies import body_of
from worker.web.feedback import Feedback
from worker.web.metrics import WebhookCounter

UNSUBSCRIBED = "unsubscribed"

_FIELD, _VALUE = "List-Unsubscribe", "One-Click"
_LARGEST = 1 << 12
_LONGEST_TYPE = 200


class Unsubscribe:
    """
    `/unsubscribe/{token}`: GET shows a page with a button and changes nothing, POST unsubscribes.

    Mail scanners open every link of a message, so that a GET must never count.
    """

    def __init__(self, tokens: SignedTokens, feedback: Feedback, webhooks: WebhookCounter) -> None:
        self._tokens = tokens
        self._feedback = feedback
        self._count = webhooks.count

    async def show(self, request: Request) -> Response:
        target = self._target(request)
        return pages.unknown_page() if target is None else pages.question(target.channel)

    async def unsubscribe(self, request: Request) -> Response:
        target = self._target(request)
        if target is None:
            self._count("unsubscribe", "unknown_token")
            return pages.unknown_page()
        body = await body_of(request, _LARGEST)
        if not one_click(request.headers.get("content-type", ""), body):
            self._count("unsubscribe", "refused")
            raise HTTPException(400, f"The body must be the form field {_FIELD}={_VALUE}.")
        kept = await self._feedback.suppress(target, UNSUBSCRIBED)
        self._count("unsubscribe", "taken" if kept else "ignored")
        return pages.confirmation(target.channel) if kept else pages.forgotten()

    def _target(self, request: Request) -> Target | None:
        return self._tokens.read(Purpose.UNSUBSCRIBE, request.path_params["token"])


def one_click(content_type: str, body: bytes) -> bool:
    """Return whether *body* holds RFC 8058's field, in either of the two forms it allows."""
    text = body.decode(errors="replace")
    if not content_type.lower().startswith("multipart/form-data"):
        return (_FIELD, _VALUE) in parse_qsl(text.strip())
    if len(content_type) > _LONGEST_TYPE:
        return False
    form = Parser().parsestr(f"Content-Type: {content_type}\r\n\r\n{text}")
    return any(map(_is_field, form.walk()))


def _is_field(part: "Message[str, str]") -> bool:
    if part.get_param("name", header="content-disposition") != _FIELD or part.is_multipart():
        return False
    return cast("bytes", part.get_payload(decode=True)).strip() == _VALUE.encode()
