"""The control endpoint: looking into the sandbox and changing what goes wrong, while it runs."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.faults import Chaos, Faults, MailFaults, SmsFaults
from sandbox.mail.bounces import Bounces
from sandbox.mail.store import MailStore
from sandbox.rewards.account import SandboxAccount
from sandbox.rewards.orders import SandboxOrder
from sandbox.web import json_object, window


class Control:
    """
    The endpoints under /_sandbox; no login, as they listen on loopback only.

    `on_signal` is called when a webhook has become due; *more* are the routes of other parts.
    """

    def __init__(
        self,
        account: SandboxAccount,
        mails: MailStore,
        bounces: Bounces,
        *,
        chaos: Chaos[Faults],
        mail_chaos: Chaos[MailFaults],
        sms_chaos: Chaos[SmsFaults],
        on_signal: Callable[[], None],
        more: Sequence[Route] = (),
    ) -> None:
        self._account = account
        self._mails = mails
        self._chaos = chaos
        self._mail_chaos = mail_chaos
        self._sms_chaos = sms_chaos
        self._bounces = bounces
        self._more = more
        self._on_signal = on_signal

    def routes(self) -> Mount:
        changing = ["GET", "PUT", "POST", "DELETE"]
        return Mount(
            "/_sandbox",
            routes=[
                Route("/account", self.account, methods=["GET"]),
                Route("/faults", self.faults, methods=changing),
                Route("/smtp-faults", self.smtp_faults, methods=changing),
                Route("/sms-faults", self.sms_faults, methods=changing),
                Route("/funds", self.funds, methods=["POST"]),
                Route("/orders/{order_id}/complete", self.complete, methods=["POST"]),
                Route("/mails", self.mails, methods=["GET"]),
                Route("/bounces", self.bounces, methods=["GET"]),
                *self._more,
            ],
        )

    async def account(self, _: Request) -> Response:
        return JSONResponse(statement(self._account, time.time()))

    async def faults(self, request: Request) -> Response:
        return await _switch(request, self._chaos)

    async def smtp_faults(self, request: Request) -> Response:
        return await _switch(request, self._mail_chaos)

    async def sms_faults(self, request: Request) -> Response:
        return await _switch(request, self._sms_chaos)

    async def funds(self, request: Request) -> Response:
        try:
            amount = Decimal(str((await json_object(request))["add"]))
        except (KeyError, InvalidOperation):
            amount = Decimal("NaN")
        if not amount.is_finite():
            raise HTTPException(400, 'The body must be like {"add": "100.00"}')
        available = self._account.add_funds(amount)
        return JSONResponse({"funds": None if available is None else str(available)})

    async def complete(self, request: Request) -> Response:
        order = self._account.order(request.path_params["order_id"])
        if order is None:
            raise HTTPException(404, "There is no such order")
        now = time.time()
        if order.status(now, order.quirks.unknown_reads) == "Pending":
            order = order.model_copy(update={"completes_at": now})
            self._account.replace(order)
            self._on_signal()
        return JSONResponse(_entry(order, now))

    async def mails(self, request: Request) -> Response:
        return JSONResponse(self._mails.since(*window(request)))

    async def bounces(self, request: Request) -> Response:
        return JSONResponse(self._bounces.since(*window(request)))


def statement(account: SandboxAccount, now: float) -> dict[str, Any]:
    """
    Return the whole account: orders, how often each PO was posted, totals, funds.

    The links of an order are those issued, whether or not the API shows them yet. Amounts are
    decimal strings.
    """
    orders = account.orders()
    entries = [_entry(order, now) for order in orders]
    completed = [order for order in orders if order.outcome == "Completed"]
    funds = account.funds()
    return {
        "orders": entries,
        "posts": account.counted("post:"),
        "totals": {
            "orders": len(orders),
            "quantity": sum(order.request.quantity for order in orders),
            "links": sum(len(entry["links"]) for entry in entries),
            "value": str(sum((order.request.total for order in completed), Decimal(0))),
        },
        "funds": None if funds is None else str(funds),
    }


def _entry(order: SandboxOrder, now: float) -> dict[str, Any]:
    return {
        "id": order.id,
        "po": order.request.po,
        "type": order.request.type,
        "status": order.status(now, order.quirks.unknown_reads),
        "created_at": order.created_at,
        "quantity": order.request.quantity,
        "value": str(order.request.total),
        "links": [url for urls in order.links for url in urls],
    }


async def _switch(request: Request, chaos: Chaos[Any]) -> Response:
    if request.method == "DELETE":
        chaos.reset()
    elif request.method != "GET":
        try:
            chaos.update(await json_object(request))
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
    return JSONResponse(chaos.faults.model_dump())
