"""The rewards API over HTTP: four calls, every failure translated in one place."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
import structlog

from pipeline.domain.errors import OrderNotFoundError, RewardsUnavailableError
from pipeline.rewards.account import Account
from pipeline.rewards.answers import ApiAnswer, ApiCall, classify, unreadable
from pipeline.rewards.document import parse_json
from pipeline.rewards.fields import usable_order_id
from pipeline.rewards.models import (
    Order,
    OrderRequest,
    Product,
    Token,
    read_products,
)

log = structlog.get_logger()

_LARGEST_BODY = 16 * 2**20
_IDLE_S = 30.0
_OTHER_ORDER = "the answer is about another order"
_LEAVING = "http11.send_request_headers.started"

OrderGuard = Callable[[], None]
Read = TypeVar("Read")


class TokenSource(Protocol):
    """The bearer token that calls are made with: the fleet's, or one of this process alone."""

    async def get(self) -> str:
        """Return a token that should be valid, fetching one if need be."""
        ...

    async def discard(self, value: str) -> int:
        """Discard *value*, which was refused; return how many were refused in a row."""
        ...

    async def accept(self, value: str) -> None:
        """Note that *value* was not refused; may be called twice."""
        ...


def http_client(base_url: str, timeout: float, *, connections: int = 20) -> httpx.AsyncClient:
    """
    Return a client with a pool of kept connections; *timeout* is seconds for one whole request.

    The caller closes it. Redirects are not followed: a token would follow them.
    """
    # Below this level httpcore logs what it could not parse, and that may be a body.
    logging.getLogger("httpcore").setLevel(logging.INFO)
    return httpx.AsyncClient(
        base_url=base_url,
        # Waiting, connecting and TLS end before the whole does, so that a request that never
        # left is known as such.
        timeout=httpx.Timeout(timeout, connect=timeout / 4, pool=timeout / 4),
        limits=httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_IDLE_S,
        ),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        follow_redirects=False,
    )


class RewardsClient:
    """
    The rewards API for one account; raises the Rewards* errors of `pipeline.domain.errors` only.

    (And what the token source raises.) *http* comes from `http_client`, is shared by all calls and
    closed by its owner. *tokens* makes the source of tokens from what creates one at the API.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        account: Account,
        tokens: Callable[[Callable[[], Awaitable[Token]]], TokenSource],
    ) -> None:
        self._http = http
        self._account = account
        self._tokens = tokens(self.create_token)

    async def create_token(self) -> Token:
        """Return a new token; only a TokenSource and a check of the credentials should ask."""
        secrets = {"Email": self._account.email, "AccessToken": self._account.access_token}
        request = self._http.build_request("POST", "/v1/Tokens", headers=secrets)
        answer = await self._exchange(ApiCall.TOKEN, request, hidden=tuple(secrets.values()))
        return _parsed_answer(ApiCall.TOKEN, answer, Token.model_validate)

    async def products(self) -> list[Product]:
        """Return all products; ask ProductCatalog instead, which asks once a week."""
        request = self._http.build_request("GET", "/v1/Products")
        answer = await self._authorised(ApiCall.PRODUCTS, request)
        return _parsed_answer(ApiCall.PRODUCTS, answer, read_products)

    async def create_order(self, request: OrderRequest, order_guard: OrderGuard) -> Order:
        """
        Place one order; safe to repeat under the same PO number, which the API takes once.

        *order_guard* is called before the wait for a connection and again at the moment the
        request is written, for each POST; what it raises passes through, and then nothing left.
        """
        post = self._http.build_request(
            "POST",
            "/v1/Orders",
            content=request.body(),
            headers={"Content-Type": "application/json"},
        )
        answer = await self._authorised(ApiCall.CREATE_ORDER, post, order_guard)
        order = _parsed_answer(ApiCall.CREATE_ORDER, answer, Order.read)
        if order.po_number not in {None, request.po_number}:
            raise unreadable(_OTHER_ORDER)
        return order

    async def read_order(self, order_id: str) -> Order:
        """Return the order as it is now; may be called any number of times."""
        if usable_order_id(order_id) is None:
            code, detail = "order_id", "no order can have this id"
            raise OrderNotFoundError(code, detail)
        request = self._http.build_request("GET", f"/v1/Orders/{quote(order_id, safe='')}")
        answer = await self._authorised(ApiCall.READ_ORDER, request)
        order = _parsed_answer(ApiCall.READ_ORDER, answer, Order.read)
        # A proxy that mixes up answers would otherwise hand out somebody else's links.
        if order.id.casefold() != order_id.casefold():
            raise unreadable(_OTHER_ORDER)
        return order

    async def _authorised(
        self, call: ApiCall, request: httpx.Request, order_guard: OrderGuard | None = None
    ) -> ApiAnswer:
        """Send *request* under the fleet's token, and once more under a fresh one after a 401."""
        bearer = await self._bearer(sent=False)
        answer = await self._send_under(bearer, call, request, order_guard)
        if answer.status == 401:
            bearer = await self._bearer(sent=True)
            answer = await self._send_under(bearer, call, request, order_guard)
        return answer

    async def _bearer(self, *, sent: bool) -> str:
        try:
            return await self._tokens.get()
        except RewardsUnavailableError as error:
            # `sent` is about the caller's own request, not about the one for a token.
            error.sent = sent
            raise

    async def _send_under(
        self, bearer: str, call: ApiCall, request: httpx.Request, order_guard: OrderGuard | None
    ) -> ApiAnswer:
        request.headers["Authorization"] = f"Bearer {bearer}"
        answer = await self._exchange(call, request, hidden=(bearer,), order_guard=order_guard)
        if answer.status == 401:
            refused = await self._tokens.discard(bearer)
            log.warning("token.refused", in_a_row=refused)
            return replace(answer, tokens_refused=refused)
        await self._tokens.accept(bearer)
        return answer

    async def _exchange(
        self,
        call: ApiCall,
        request: httpx.Request,
        *,
        hidden: tuple[str, ...],
        order_guard: OrderGuard | None = None,
    ) -> ApiAnswer:
        """Send one request and return the whole answer, whatever its status."""
        trace = _OrderTrace(order_guard or _allow)
        trace.check()
        request.extensions = {**request.extensions, "trace": trace}
        try:
            async with asyncio.timeout(self._http.timeout.read):
                return await self._answer(request, hidden)
        except (httpx.HTTPError, OSError, ValueError) as error:
            if error is trace.refusal:
                raise
            # Not chained: what httpx says may quote headers and bodies.
            raise classify(call, error) from None

    async def _answer(self, request: httpx.Request, hidden: tuple[str, ...]) -> ApiAnswer:
        response = await self._http.send(request, stream=True)
        try:
            body = await _bounded(response)
        finally:
            await response.aclose()
        return ApiAnswer(
            status=response.status_code, headers=response.headers, body=body, hidden=hidden
        )


@dataclass(slots=True)
class _OrderTrace:
    """Calls the order guard when httpcore is about to write the request (`trace` extension)."""

    order_guard: OrderGuard
    refusal: Exception | None = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:  # noqa: ARG002 - httpcore calls it so
        if event == _LEAVING:
            self.check()

    def check(self) -> None:
        try:
            self.order_guard()
        except Exception as error:
            self.refusal = error
            raise


def _allow() -> None:
    return None


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _LARGEST_BODY:
            msg = "the answer is too large"
            raise ValueError(msg)
    return bytes(body)


def _parsed_answer(call: ApiCall, answer: ApiAnswer, read: Callable[[object], Read]) -> Read:
    """Return what a 2xx says; raises what `classify` makes of anything else."""
    if not 200 <= answer.status < 300:
        raise classify(call, answer)
    try:
        return read(parse_json(answer.body))
    except ValueError as error:
        # Not chained: the text of a validation error may show what was validated.
        raise classify(call, error) from None
