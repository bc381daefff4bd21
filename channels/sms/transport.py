"""What the Twilio SDK sends one request with, and whether the request has left this process."""

import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlencode

import aiohttp
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped] # no py.typed
from twilio.http.response import Response  # type: ignore[import-untyped] # no py.typed

from channels.provider_text import redact_reply
from channels.sms.account import TwilioAccount
from channels.sms.codes import classify_refusal
from pipeline.domain.errors import BlockedError, DeliveryError, UncertainError


@dataclass(slots=True)
class Attempt:
    """One exchange with Twilio; `left` says whether a request may have reached it."""

    send_guard: Callable[[], None] = lambda: None
    left: bool = False

    def leave(self) -> None:
        self.send_guard()
        self.left = True


def open_http_session(account: TwilioAccount) -> aiohttp.ClientSession:
    """Return a session for all requests; must be called, and later closed, in a running loop."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_leave)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=account.connections),
        timeout=aiohttp.ClientTimeout(total=account.timeout, connect=account.connect_timeout),
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _leave(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    # aiohttp calls this over an open connection, before the headers are put into the buffer that
    # goes out with the body in the loop's next turn. What is raised here stops the request.
    context.trace_request_ctx.leave()


class Transport(AsyncHttpClient):  # type: ignore[misc] # untyped, see above
    """
    Sends what the SDK composed: once, without redirects, and without the SDK's logging.

    The SDK's own client writes URLs and headers into the log, does not apply its time-out, and
    hands over the login in a way that aiohttp has deprecated.
    """

    def __init__(self, session: aiohttp.ClientSession, attempt: Attempt) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._session = session
        self._attempt = attempt

    async def request(
        self,
        method: str,
        uri: str,
        *,
        params: Mapping[str, str | int] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str],
        **_: object,
    ) -> Response:
        """Return an answer of 2xx; raises the DeliveryError that any other answer is."""
        async with self._session.request(
            method,
            uri,
            params=params,
            data=urlencode(data) if data else None,
            headers={**(headers or {}), "Authorization": aiohttp.encode_basic_auth(*auth)},
            allow_redirects=False,
            trace_request_ctx=self._attempt,
        ) as answer:
            text = (await answer.read()).decode(errors="replace")
        if not 200 <= answer.status < 300:
            raise classify_refusal(answer.status, text, answer.headers.get("Retry-After"))
        return Response(answer.status, text, answer.headers)


def exchange_failure(error: Exception, *, left: bool) -> DeliveryError:
    """Return what it means that an exchange ended with *error*, before or after it *left*."""
    if left:
        return UncertainError(_code(error))
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        detail = "the server's certificate is not valid"
        return BlockedError("twilio_certificate", detail, fatal=True)
    return BlockedError("twilio_unreachable", redact_reply(str(error)) or type(error).__name__)


def _code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "twilio_timeout"
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        return "twilio_reset"
    return "twilio_bad_answer"
