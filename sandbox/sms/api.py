"""Twilio's Messages API, as far as sending goes, and what hurts about it."""

import base64
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Chaos, SmsFaults
from sandbox.options import SmsOptions
from sandbox.sms.callbacks import Callbacks
from sandbox.sms.messages import SmsMessage, resource
from sandbox.sms.refusals import LOST_FIRST, MAGIC, UNDELIVERED, Refusal
from sandbox.sms.store import SmsStore
from sandbox.web import HangUp

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_PAGE_SIZE, _LARGEST_PAGE = 50, 1000
_MAX_BODY = 1600


class SmsApi:
    """
    The endpoints under /2010-04-01/Accounts: create, list and fetch messages.

    Faults of requests are drawn per number and how often it was posted to before.
    """

    def __init__(
        self,
        store: SmsStore,
        callbacks: Callbacks,
        chaos: Chaos[SmsFaults],
        options: SmsOptions,
    ) -> None:
        self._store = store
        self._callbacks = callbacks
        self._chaos = chaos
        self._options = options

    def routes(self) -> list[Route]:
        messages = "/2010-04-01/Accounts/{account_sid}/Messages"
        return [
            Route(f"{messages}.json", self.create, methods=["POST"]),
            Route(f"{messages}.json", self.list_messages, methods=["GET"]),
            Route(f"{messages}/{{sid}}.json", self.fetch, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        self._authorize(request)
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        to = form.get("To", "")
        attempt = self._store.count_post(to)
        key = f"{to}:{attempt}"
        self._refuse_by_chance(key)
        self._check(form, to)
        message = self._accept(form, key)
        if self._chaos.hits("sms_500_after", key):
            raise Refusal(20500, 500)
        lost = to.startswith(LOST_FIRST) and attempt == 1
        if lost or self._chaos.hits("sms_reset_after", key):
            return HangUp()
        return JSONResponse(self._shown(message, message.created_at), 201)

    async def list_messages(self, request: Request) -> Response:
        self._authorize(request)
        if self._chaos.faults.list_500:
            raise Refusal(20500, 500)
        query = request.query_params
        now = time.time()
        size = min(max(_number(query.get("PageSize"), _PAGE_SIZE), 1), _LARGEST_PAGE)
        page = _number(query.get("Page"), 0)
        wanted = [
            message
            for message in self._store.newest_first(query.get("To", ""))
            if _matches(message, query, now)
        ]
        shown = [self._shown(message, now) for message in wanted[page * size :][:size]]
        return JSONResponse(
            _page(request, shown, page, size, more=len(wanted) > (page + 1) * size)
        )

    async def fetch(self, request: Request) -> Response:
        self._authorize(request)
        message = self._store.message(request.path_params["sid"])
        if message is None:
            raise Refusal(20404, 404)
        return JSONResponse(self._shown(message, time.time()))

    def _authorize(self, request: Request) -> None:
        options = self._options
        login = f"{options.account_sid}:{options.auth_token}".encode()
        wanted = b"Basic " + base64.b64encode(login)
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(wanted, given):
            raise Refusal(20003, 401)
        if request.path_params["account_sid"] != options.account_sid:
            raise Refusal(20404, 404)

    def _refuse_by_chance(self, key: str) -> None:
        if self._chaos.hits("sms_429", key):
            raise Refusal(20429, 429, retry_after=self._chaos.faults.retry_after_seconds)
        if self._chaos.hits("sms_500_before", key):
            raise Refusal(20500, 500)

    def _check(self, form: Mapping[str, str], to: str) -> None:
        code = _mistake(form, to) or MAGIC.get(to)
        if code is None and self._store.is_opted_out(to):
            code = 21610
        if code is not None:
            raise Refusal(code, to=to)

    def _accept(self, form: Mapping[str, str], key: str) -> SmsMessage:
        now = time.time()
        error_code = self._error_code(form["To"], key)
        message = SmsMessage(
            sid=f"SM{secrets.token_hex(16)}",
            to=form["To"],
            body=form["Body"],
            sender=form.get("From", ""),
            service=form.get("MessagingServiceSid", ""),
            callback=form.get("StatusCallback", ""),
            created_at=now,
            sent_at=now + self._options.sent_after,
            final_at=now + self._options.sent_after + self._options.delivered_after,
            final="delivered" if error_code is None else "undelivered",
            error_code=error_code,
        )
        self._store.add(message)
        self._callbacks.accepted(message)
        return message

    def _error_code(self, to: str, key: str) -> int | None:
        """Return why the message will not arrive, or None."""
        by_name = (code for start, code in UNDELIVERED.items() if to.startswith(start))
        by_chance = (
            code
            for code in (30003, 30005, 30006, 30007)
            if self._chaos.hits(f"undelivered_{code}", key)
        )
        return next(by_name, None) or next(by_chance, None)

    def _shown(self, message: SmsMessage, now: float) -> dict[str, Any]:
        return resource(message, self._options.account_sid, now)


def _mistake(form: Mapping[str, str], to: str) -> int | None:
    if not to:
        return 21604
    if not _E164.fullmatch(to):
        return 21211
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return 21603
    if not form.get("Body"):
        return 21602
    return 21617 if len(form["Body"]) > _MAX_BODY else None


def _matches(message: SmsMessage, query: Mapping[str, str], now: float) -> bool:
    """Return whether *message* passes the filters of From and of the day, in GMT, of DateSent."""
    if query.get("From", message.origin) != message.origin:
        return False
    limits = [
        (name, query[name]) for name in ("DateSent", "DateSent<", "DateSent>") if name in query
    ]
    if limits and now <= message.sent_at:
        return False
    day = datetime.fromtimestamp(message.sent_at, UTC).date()
    return all(_holds(day, name[8:], _day(text)) for name, text in limits)


def _holds(day: date, relation: str, limit: date) -> bool:
    if relation == "<":
        return day <= limit
    return day >= limit if relation == ">" else day == limit


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Refusal(20001) from None


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


def _page(
    request: Request, messages: list[dict[str, Any]], page: int, size: int, *, more: bool
) -> dict[str, Any]:
    query = {name: text for name, text in request.query_params.items() if name != "Page"}

    def uri(number: int) -> str:
        return f"{request.url.path}?{urlencode({**query, 'PageSize': size, 'Page': number})}"

    return {
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if more else None,
        "previous_page_uri": uri(page - 1) if page else None,
        "uri": uri(page),
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(len(messages) - 1, 0),
        "messages": messages,
    }
