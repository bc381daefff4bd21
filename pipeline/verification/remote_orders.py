"""The orders as the rewards API shows them now, compared with what the ledger has."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain.errors import (
    OrderNotFoundError,
    RewardsError,
    RewardsUnavailableError,
    UnavailableError,
)
from pipeline.domain.rate import FleetLimit
from pipeline.rewards.client import RewardsClient
from pipeline.rewards.links import LinksProblem, extract_links
from pipeline.rewards.models import Order, OrderRequest, order_difference
from pipeline.stages.order_decisions import api_delay
from pipeline.stages.permits import permit
from pipeline.store.rate_limiter import Limiter
from pipeline.verification.batch_invariants import Violation
from pipeline.views.batch_view import BatchView

_TRIES = 6


class OrderComparison:
    """Reads orders again under the fleet's limit; implements the verifier's `RemoteCheck`."""

    def __init__(self, client: RewardsClient, limiter: Limiter, links_path: str | None) -> None:
        self._client = client
        self._limiter = limiter
        self._links_path = links_path

    async def violations(
        self, entry: BatchView, request: OrderRequest, links: Sequence[str]
    ) -> list[Violation]:
        """
        Return what the API shows differently from the ledger.

        *links* are the stored links, empty before they came. Raises UnavailableError if the API
        does not answer in several tries, and RewardsError if it refuses our credentials.
        """
        order_id = entry.batch.order.id or ""
        try:
            order = await self._read(order_id)
        except OrderNotFoundError:
            return [Violation(1, "remote_order", entry.number, f"the API knows no {order_id}")]
        # The request names the id that we stored, so an order that shows no PO number is ours.
        shown = replace(order, po_number=order.po_number or request.po_number)
        difference = order_difference(shown, request)
        found = []
        if difference is not None:
            words = f"order {order_id} differs: {difference}"
            found.append(Violation(1, "remote_order", entry.number, words))
        if links and (
            problem := self._link_problem(order, links, late=entry.batch.replacement.into > 0)
        ):
            found.append(Violation(3, "remote_links", entry.number, problem))
        return found

    async def _read(self, order_id: str) -> Order:
        for failures in range(_TRIES):
            await self._permit()
            try:
                return await self._client.read_order(order_id)
            except RewardsUnavailableError as error:
                delay = api_delay(failures, error.retry_after, 0.5)
                if error.code == "http_429":
                    await self._limiter.cool_down(FleetLimit.READS, delay)
                await asyncio.sleep(delay)
            except OrderNotFoundError:
                raise
            except RewardsError as error:
                msg = f"Order {order_id} cannot be read: {error}."
                raise UnavailableError(msg) from None
        msg = f"The rewards API did not answer when asked for order {order_id}; run this again."
        raise UnavailableError(msg)

    async def _permit(self) -> None:
        while wait := await permit(self._limiter, FleetLimit.READS):  # noqa: ASYNC110 - the limit is in Redis
            await asyncio.sleep(wait)

    def _link_problem(self, order: Order, links: Sequence[str], *, late: bool) -> str | None:
        try:
            shown = self._shown(order, len(links), late=late)
        except LinksProblem as problem:
            return f"the links of order {order.id} cannot be compared ({problem})"
        # The API documents no order of the links, so only the set is compared.
        known = set(shown)
        # The link of an erased recipient is empty: nothing is left to compare.
        others = [k for k, link in enumerate(links, start=1) if link and link not in known]
        if not others:
            return None
        return (
            f"order {order.id} does not show {len(others)} stored links, first number {others[0]}"
        )

    def _shown(self, order: Order, number: int, *, late: bool) -> Sequence[str]:
        """Return the links of an order; a *late* order ended short and may show more by now."""
        try:
            return extract_links(order.document, number, path=self._links_path)
        except LinksProblem as problem:
            if not late or problem.code != "links_many":
                raise
            return extract_links(order.document, problem.found, path=self._links_path)
