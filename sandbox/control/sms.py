"""Looking into the SMS account, and being a person who answers."""

import secrets
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.sms.callbacks import Callbacks
from sandbox.sms.messages import SmsMessage
from sandbox.sms.store import SmsStore, links_in
from sandbox.web import json_object, window

# Twilio's default keywords.
_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "YES", "UNSTOP"})


class SmsControl:
    """The endpoints of the SMS API under /_sandbox."""

    def __init__(self, store: SmsStore, callbacks: Callbacks) -> None:
        self._store = store
        self._callbacks = callbacks

    def routes(self) -> list[Route]:
        return [
            Route("/sms", self.messages, methods=["GET"]),
            Route("/sms/inbound", self.inbound, methods=["POST"]),
        ]

    async def messages(self, request: Request) -> Response:
        since, limit = window(request)
        now = time.time()
        return JSONResponse([_entry(*each, now) for each in self._store.since(since, limit)])

    async def inbound(self, request: Request) -> Response:
        """Take `{"from", "body"}` as a message from a person: STOP opts out, START in again."""
        message = await json_object(request)
        sender, body = message.get("from"), message.get("body")
        if not isinstance(sender, str) or not isinstance(body, str):
            raise HTTPException(
                400, 'The body must be like {"from": "+15551234567", "body": "STOP"}'
            )
        word = body.strip().upper()
        if word in _STOP:
            self._store.opt_out(sender)
        elif word in _START:
            self._store.opt_in(sender)
        sid = f"SM{secrets.token_hex(16)}"
        posted = self._callbacks.inbound(sid, sender, str(message.get("to") or ""), body)
        return JSONResponse({"sid": sid, "posted": posted})


def _entry(seq: int, message: SmsMessage, now: float) -> dict[str, Any]:
    return {
        "seq": seq,
        "sid": message.sid,
        "to": message.to,
        "from": message.origin,
        "body": message.body,
        "links": links_in(message.body),
        "status": message.status(now),
        "error_code": message.error(now),
        "callback": message.callback,
        "created_at": message.created_at,
    }
