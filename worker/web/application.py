"""The web application put together: which address leads where, and errors as sentences."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.store.outages import STORE_ERRORS
from worker.web.bounces import BounceIntake, BounceWebhook
from worker.web.feedback import Feedback
from worker.web.fulfilment import BatchWaker, FulfilmentWebhook, open_waker
from worker.web.health import Health
from worker.web.metrics import Metrics
from worker.web.twilio import InboundMessage, StatusCallback, TwilioSignature
from worker.web.unsubscribe import Unsubscribe
from worker.wiring.ledger import App

log = structlog.get_logger()

Endpoint = Callable[[Request], Awaitable[Response]]

_ANSWER_SECONDS = 15.0  # above the time that a request may take to arrive
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The body of this request is too large.",
}


@asynccontextmanager
async def web_application(app: App) -> AsyncIterator[Starlette]:
    """Yield the ASGI application; what it began in the background ends with the context."""
    async with open_waker(app.batches) as waker:
        site = Starlette(
            routes=_routes(app, waker),
            exception_handlers={
                HTTPException: _refused,
                **dict.fromkeys(STORE_ERRORS, _unavailable),
                ClientDisconnect: _gone,
                Exception: _broken,
            },
        )
        # Else one slash too many is answered by sending people to wherever the Host header says.
        site.router.redirect_slashes = False
        yield site


def _routes(app: App, waker: BatchWaker) -> list[Route]:
    metrics, feedback, health = Metrics(app), Feedback(app), Health(app.server)
    tokens, webhooks = app.tokens, metrics.webhooks
    signature = TwilioSignature(app.settings)
    fulfilment = FulfilmentWebhook(tokens, waker, webhooks)
    inbound = InboundMessage(signature, app.suppressions, webhooks)
    callback = StatusCallback(signature, tokens, feedback, webhooks)
    bounces = BounceWebhook(tokens, BounceIntake(tokens, feedback), webhooks)
    page = Unsubscribe(tokens, feedback, webhooks)
    return [
        _route("POST", "/webhooks/fulfillment/{token}", fulfilment.receive),
        _route("POST", "/webhooks/twilio/inbound", inbound.receive),
        _route("POST", "/webhooks/twilio/{token}", callback.receive),
        _route("POST", "/webhooks/bounces/{token}", bounces.receive),
        _route("GET", "/unsubscribe/{token}", page.show),
        _route("POST", "/unsubscribe/{token}", page.unsubscribe),
        _route("GET", "/healthz", health.alive),
        _route("GET", "/readyz", health.ready),
        _route("GET", "/metrics", metrics.show),
    ]


def _route(method: str, path: str, endpoint: Endpoint) -> Route:
    @functools.wraps(endpoint)
    async def in_time(request: Request) -> Response:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await endpoint(request)

    return Route(path, in_time, methods=[method])


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    text = _SENTENCES.get(error.status_code, error.detail)
    return PlainTextResponse(f"{text}\n", error.status_code, error.headers)


async def _unavailable(_: Request, error: Exception) -> Response:
    log.warning("request.not_served", error=type(error).__name__)
    text = "This cannot be taken in at the moment; please send it again later.\n"
    return PlainTextResponse(text, 503, {"Retry-After": "10"})


async def _broken(_: Request, error: Exception) -> Response:  # noqa: ARG001 - uvicorn logs it
    return PlainTextResponse("This should not have happened; the operator's log says more.\n", 500)


async def _gone(_: Request, error: Exception) -> Response:  # noqa: ARG001 - nobody is there
    return Response(status_code=400)
