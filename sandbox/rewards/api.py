"""The rewards API over HTTP, as documented, and what hurts about it."""

import asyncio
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Chaos, Faults, in_words
from sandbox.options import SandboxOptions
from sandbox.rewards import products
from sandbox.rewards.account import DuplicateError, InsufficientFundsError, Reading, SandboxAccount
from sandbox.rewards.answers import order_answer, summary
from sandbox.rewards.disguises import disguised
from sandbox.rewards.issuing import issue
from sandbox.rewards.orders import SandboxOrder, SandboxOrderRequest
from sandbox.rewards.refusals import too_many_requests, unauthorized
from sandbox.web import HangUp, json_object

_PAGE = 50


class RewardsApi:
    """
    The endpoints under /v1; `on_signal` is called when a webhook has become due or will be.

    After `close()` nothing waits any more: delays end at once.
    """

    def __init__(
        self,
        account: SandboxAccount,
        chaos: Chaos[Faults],
        options: SandboxOptions,
        *,
        on_signal: Callable[[], None],
    ) -> None:
        self._account = account
        self._chaos = chaos
        self._options = options
        self._on_signal = on_signal
        self._closing = asyncio.Event()
        self._burst_until = 0.0

    def routes(self) -> list[Route]:
        return [
            Route("/v1/Tokens", self.create_token, methods=["POST"]),
            Route("/v1/Products", self.list_products, methods=["GET"]),
            Route("/v1/Orders", self.create_order, methods=["POST"]),
            Route("/v1/Orders", self.list_orders, methods=["GET"]),
            Route("/v1/Orders/{order_id}", self.get_order, methods=["GET"]),
        ]

    def close(self) -> None:
        self._closing.set()

    async def create_token(self, request: Request) -> Response:
        await self._enter()
        if self._chaos.faults.credentials_disabled:
            raise HTTPException(403, "API access is disabled for these credentials")
        if not self._knows(request):
            raise unauthorized()
        if self._chaos.hits("token_504", str(self._account.count("tokens"))):
            raise HTTPException(504, "The request timed out")
        lifetime = self._options.token_lifetime
        token = self._account.issue_token(time.time() + lifetime)
        return JSONResponse({"Value": token, "ExpiresIn": lifetime})

    async def list_products(self, request: Request) -> Response:
        await self._read(request, "products")
        return JSONResponse(
            products.without_links()
            if self._chaos.faults.links_withdrawn
            else list(products.PRODUCTS)
        )

    async def list_orders(self, request: Request) -> Response:
        await self._read(request, "orders")
        index = request.query_params.get("pageIndex", "0")
        if not index.isdecimal():
            raise HTTPException(400, "pageIndex must be a number from 0")
        orders = self._account.orders(offset=int(index) * _PAGE, limit=_PAGE)
        now = time.time()
        page = [summary(order, order.status(now)) for order in orders]
        total = self._account.order_count()
        return JSONResponse({"PageIndex": int(index), "TotalCount": total, "Orders": page})

    async def get_order(self, request: Request) -> Response:
        order = self._account.order(request.path_params["order_id"])
        key = await self._read(request, order.request.po if order else "unknown")
        if order is None or self._chaos.hits("read_404", key):
            raise HTTPException(404, "There is no such order")
        now = time.time()
        reading = self._account.read(order, now)
        return JSONResponse(self._shown(reading, now))

    async def create_order(self, request: Request) -> Response:
        await self._enter()
        token = self._authorize(request)
        body = await json_object(request, parse_float=Decimal)
        po = _po_number(body)
        key = f"{po}:{self._account.count(f'post:{po}')}"
        self._expire_early(token, f"post:{key}")
        self._refuse("order", f"post:{key}")
        if self._chaos.faults.links_withdrawn or self._chaos.hits("order_400", f"post:{key}"):
            raise HTTPException(400, "This product cannot be ordered at present")
        answer = self._order_or_duplicate(body, po)
        await self._dawdle(f"post:{key}")
        if answer.status_code == 201 and self._chaos.hits("order_504_after_commit", key):
            raise HTTPException(504, "The request timed out")
        if answer.status_code == 201 and self._chaos.hits("order_reset_after_commit", key):
            return HangUp()
        return answer

    def _order_or_duplicate(self, body: dict[str, Any], po: str) -> JSONResponse:
        try:
            order = self._place(body, po)
        except DuplicateError as duplicate:
            words = {"Message": "A previous order has this PONumber"}
            hidden = self._chaos.faults.duplicate_without_id
            return JSONResponse(words if hidden else words | {"Id": duplicate.order_id}, 409)
        except InsufficientFundsError:
            raise HTTPException(422, "Insufficient funds") from None
        if order.signal_at is not None:
            self._on_signal()
        reading = Reading(order=order, reads=0, full_reads=0)
        return JSONResponse(self._shown(reading, order.created_at), 201)

    def _shown(self, reading: Reading, now: float) -> dict[str, Any]:
        answer = order_answer(reading, self._options.link_shape, now)
        return disguised(answer, self._chaos.faults)

    def _place(self, body: dict[str, Any], po: str) -> SandboxOrder:
        # The vendor compares PO numbers only, so a repeated one wins over any other mistake.
        used = self._account.order_id(po)
        if used is not None:
            raise DuplicateError(used)
        order = issue(
            _order_request(body),
            self._options,
            self._chaos,
            now=time.time(),
            earlier_link=self._account.earliest_link,
        )
        self._account.place(order)
        return order

    async def _read(self, request: Request, name: str) -> str:
        """Let a GET in and return the key of this request; raises what the faults want."""
        await self._enter()
        token = self._authorize(request)
        key = f"get:{name}:{self._account.count(f'get:{name}')}"
        self._expire_early(token, key)
        self._refuse("read", key)
        await self._dawdle(key)
        return key

    async def _enter(self) -> None:
        await self._pause(self._options.latency)
        if self._in_burst():
            raise HTTPException(503, "The service is unavailable")

    def _in_burst(self) -> bool:
        now = time.monotonic()
        if now < self._burst_until:
            return True
        faults = self._chaos.faults
        if faults.burst_500 and self._chaos.hits(
            "burst_500", str(self._account.count("requests"))
        ):
            self._burst_until = now + faults.burst_seconds
            return True
        return False

    def _knows(self, request: Request) -> bool:
        wanted = (self._options.email, self._options.access_token)
        given = (request.headers.get("Email", ""), request.headers.get("AccessToken", ""))
        return hmac.compare_digest("\n".join(wanted).encode(), "\n".join(given).encode())

    def _authorize(self, request: Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._account.token_holds(token, time.time()):
            raise unauthorized()
        return token

    def _expire_early(self, token: str, key: str) -> None:
        if self._chaos.hits("token_expires_early", key):
            self._account.revoke_token(token)
            raise unauthorized()

    def _refuse(self, kind: str, key: str) -> None:
        if self._chaos.hits(f"{kind}_429", key):
            raise too_many_requests(self._chaos, key)
        if self._chaos.hits(f"{kind}_500", key):
            raise HTTPException(500, "Something went wrong")

    async def _dawdle(self, key: str) -> None:
        if self._chaos.hits("slow", key):
            await self._pause(self._chaos.faults.slow_seconds)

    async def _pause(self, seconds: float) -> None:
        if seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)


def _po_number(body: dict[str, Any]) -> str:
    po = body.get("PONumber")
    if not isinstance(po, str) or not po:
        raise HTTPException(400, "PONumber: must be a string that is not empty")
    return po


def _order_request(body: dict[str, Any]) -> SandboxOrderRequest:
    try:
        order = SandboxOrderRequest.model_validate(body)
        products.check(order)
    except ValidationError as error:
        raise HTTPException(400, in_words(error)) from None
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    return order
