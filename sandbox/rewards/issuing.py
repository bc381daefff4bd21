"""Turning a request into an order: its fate and its links are settled the moment it is placed."""

import secrets
from collections.abc import Callable
from uuid import uuid4

from sandbox.faults import Chaos, Faults
from sandbox.options import SandboxOptions
from sandbox.rewards.orders import Outcome, Quirks, SandboxOrder, SandboxOrderRequest

CLAIM_URL = "https://claim.sandbox.example/"


def issue(
    request: SandboxOrderRequest,
    options: SandboxOptions,
    chaos: Chaos[Faults],
    *,
    now: float,
    earlier_link: Callable[[], str | None],
) -> SandboxOrder:
    """
    Return the order that *request* becomes; two calls give two orders with links of their own.

    `now` is seconds since the epoch; `earlier_link` finds a link issued before, if there is one.
    """
    outcome: Outcome = "Failed" if chaos.hits("order_fails", request.po) else "Completed"
    links = [[_link() for _ in range(item.quantity)] for item in request.line_items]
    if outcome == "Failed":
        links = [[] for _ in links]
    else:
        _apply_link_faults(links, request.po, chaos, earlier_link)
    return SandboxOrder(
        id=str(uuid4()),
        request=request,
        outcome=outcome,
        created_at=now,
        completes_at=_completes_at(request, options, now),
        quirks=_quirks(request.po, chaos),
        links=tuple(tuple(urls) for urls in links),
    )


def _link() -> str:
    return CLAIM_URL + secrets.token_urlsafe(16)  # 22 characters


def _completes_at(
    request: SandboxOrderRequest, options: SandboxOptions, now: float
) -> float | None:
    if options.async_above is None or request.quantity <= options.async_above:
        return now
    return None if options.async_delay is None else now + options.async_delay


def _apply_link_faults(
    links: list[list[str]],
    po: str,
    chaos: Chaos[Faults],
    earlier_link: Callable[[], str | None],
) -> None:
    last = links[-1]
    if chaos.hits("repeated_link", po):
        last[-1] = earlier_link() or last[-1]
    if chaos.hits("duplicate_link", po):
        last[-1] = links[0][0]
    if chaos.hits("extra_link", po):
        last.append(_link())
    if chaos.hits("short_order", po) and not chaos.faults.short_reads:
        last.pop()


def _quirks(po: str, chaos: Chaos[Faults]) -> Quirks:
    faults = chaos.faults
    signals = 2 if chaos.hits("webhook_twice", po) else 1
    return Quirks(
        hidden_reads=faults.short_reads if chaos.hits("short_order", po) else 0,
        unknown_reads=faults.unknown_reads if chaos.hits("status_unknown", po) else 0,
        links_twice=chaos.hits("links_twice", po),
        extra_urls=chaos.hits("extra_urls", po),
        signals=0 if chaos.hits("webhook_never", po) else signals,
        signal_delay=faults.webhook_late_seconds if chaos.hits("webhook_late", po) else 0.0,
    )
