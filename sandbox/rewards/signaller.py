"""Notifies a client that its order is complete: a signal, never the links."""

import asyncio
import time
from contextlib import suppress

import httpx

from sandbox.rewards.account import SandboxAccount
from sandbox.rewards.orders import SandboxOrder

_PATIENCE = 5.0
_LONGEST_WAIT = 3600.0  # seconds; only a bound on a wait that ends by itself


class Signaller:
    """
    Calls the webhooks of the account's orders when they are due; each once (the fault: twice).

    What is due is on disk: what was due while the sandbox was down is called after its start. A
    receiver that does not answer is not called again, as clients must poll anyway.
    """

    def __init__(self, account: SandboxAccount) -> None:
        self._account = account
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look again at what is due; may be called at any time."""
        self._changed.set()

    async def run(self) -> None:
        """Call the webhooks as they become due, until cancelled."""
        while True:
            due = self._account.signals_due(time.time())
            if due:
                await self._signal_all(due)
            await self._wait()

    async def _wait(self) -> None:
        due_at = self._account.next_signal_at()
        seconds = _LONGEST_WAIT if due_at is None else min(due_at - time.time(), _LONGEST_WAIT)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0))
        self._changed.clear()

    async def _signal_all(self, orders: list[SandboxOrder]) -> None:
        # The environment's proxies must not carry loopback traffic.
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
            await asyncio.gather(*(self._signal(client, order) for order in orders))

    async def _signal(self, client: httpx.AsyncClient, order: SandboxOrder) -> None:
        for _ in range(order.quirks.signals):
            with suppress(httpx.HTTPError, httpx.InvalidURL):
                await client.post(order.request.webhook or "", json=_signal_body(order))
        self._account.signalled(order.id)


def _signal_body(order: SandboxOrder) -> dict[str, str]:
    return {
        "Event": "FulfillmentComplete",
        "OrderId": order.id,
        "PONumber": order.request.po,
        "Status": order.outcome,
    }
