"""Stage "await fulfilment": read the order until it holds exactly its links, and store them."""

import json
import random
from collections.abc import Collection
from dataclasses import dataclass, replace

import structlog

from pipeline.domain.batch import Lane
from pipeline.domain.errors import RewardsError
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import BatchState
from pipeline.domain.rate import FleetLimit
from pipeline.execution.leases import Lease
from pipeline.rewards.client import RewardsClient
from pipeline.rewards.links import LinksProblem, extract_links
from pipeline.rewards.models import Order, order_difference
from pipeline.rewards.statuses import OrderProgress, order_progress
from pipeline.stages.campaign_cache import CampaignCache
from pipeline.stages.order_decisions import (
    BlockOrdering,
    Hold,
    ReadStep,
    Received,
    Wait,
    decide_read,
)
from pipeline.stages.order_request import order_request
from pipeline.stages.permits import permit
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.rate_limiter import Limiter

log = structlog.get_logger()

_BLOCKED_PAUSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReading:
    """
    How to read an order.

    `completed` and `failed` are the words of its status, `links_path` is where its links are,
    `overdue` is the age in seconds from which it counts as overdue. `webhooks` says that the API
    reports completed orders, so that reading may be rare.
    """

    completed: Collection[str]
    failed: Collection[str]
    links_path: str | None
    overdue: float
    webhooks: bool = False


class FulfilmentStage:
    """The stage: reads the order of a batch, and stores its links once all are there."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        campaigns: CampaignStore,
        limiter: Limiter,
        rewards: RewardsClient,
        campaign_cache: CampaignCache,
        reading: OrderReading,
        measurements: Measurements,
    ) -> None:
        self._batches = batches
        self._campaigns = campaigns
        self._limiter = limiter
        self._rewards = rewards
        self._campaign_cache = campaign_cache
        self._reading = reading
        self._measurements = measurements

    async def run(self, lease: Lease) -> None:
        """Read the order of one batch once and carry out what follows; may be repeated."""
        claim = lease.claim
        wait = await permit(self._limiter, FleetLimit.READS)
        if wait:
            await self._batches.release(claim, delay=wait)
            return
        self._measurements.order_read("webhook" if claim.batch.lease.woken else "poll")
        try:
            outcome = await self._rewards.read_order(claim.batch.order.id or "")
        except RewardsError as error:
            await self.settle(lease, error)
        else:
            await self.settle(lease, outcome)

    async def settle(self, lease: Lease, answer: Order | RewardsError) -> None:
        """Carry out what follows from an order, or from the error that reading it met."""
        claim = lease.claim
        step = decide_read(
            await self._check_order(claim, answer) if isinstance(answer, Order) else answer,
            claim.batch,
            now_ms=claim.now_ms,
            overdue=self._reading.overdue,
            webhooks=self._reading.webhooks,
            jitter=random.random(),  # noqa: S311 - jitter is no secret
        )
        await self._settle(claim, step, answer if isinstance(answer, Order) else None)

    async def _check_order(
        self, claim: Claim, order: Order
    ) -> OrderProgress | tuple[str, ...] | LinksProblem | Hold:
        """Return how far the order is, its links, or why it cannot be used."""
        difference = await self._difference(claim, order)
        if difference is not None:
            log.error("order.differs", **_names(claim), why=difference)
            return Hold("order_differs")
        reached = order_progress(order.status, self._reading.completed, self._reading.failed)
        if reached is OrderProgress.UNKNOWN:
            log.warning("order.status_unknown", **_names(claim), status=order.status)
        if reached is not OrderProgress.COMPLETED:
            return reached
        try:
            return extract_links(order.document, claim.batch.size, path=self._reading.links_path)
        except LinksProblem as problem:
            return problem

    async def _difference(self, claim: Claim, order: Order) -> str | None:
        """
        Return how the order differs from ours, or None.

        The order was read by its id, so one that shows no PO number is ours too.
        """
        request = order_request(claim, (await self._campaign_cache.of(claim)).campaign)
        if order.po_number is None:
            order = replace(order, po_number=request.po_number)
        return order_difference(order, request)

    async def _settle(self, claim: Claim, step: ReadStep, order: Order | None) -> None:
        match step:
            case Received(links=links):
                await self._receive(claim, links, order)
            case Wait() if claim.cancelled and claim.batch.state is BatchState.HELD:
                await self._batches.cancel(claim, claim.batch.hold.reason or "")
            case Wait():
                if step.cool_down:
                    await self._limiter.cool_down(FleetLimit.READS, step.cool_down)
                await self._batches.release(claim, delay=step.delay, counter=step.counter)
            case Hold():
                await self._hold(claim, step, order)
            case BlockOrdering():
                log.warning("campaign.blocked", **_names(claim), reason=step.reason)
                await self._campaigns.block(
                    claim.unit.serial,
                    Lane.READ,
                    step.reason,
                    step.words,
                    probe_after=step.probe_after,
                )
                # A cancelled campaign's orders are still read while it is blocked, but less often.
                await self._batches.release(claim, delay=_BLOCKED_PAUSE if claim.cancelled else 0)

    async def _receive(self, claim: Claim, links: tuple[str, ...], order: Order | None) -> None:
        seen = await self._batches.links_received(claim, links)
        if seen is None:
            log.info("links.received", **_names(claim), quantity=len(links))
            return
        log.error("links.seen_before", **_names(claim), position=seen)
        await self._hold(claim, Hold("links_seen_before"), order)

    async def _hold(self, claim: Claim, step: Hold, order: Order | None) -> None:
        if claim.cancelled:
            # The order has ended, or is overdue; a cancelled campaign does not need its links.
            await self._batches.cancel(claim, step.reason)
            return
        log.warning("batch.held", **_names(claim), reason=step.reason)
        evidence = json.dumps(order.document).encode() if order is not None else b""
        await self._batches.hold(
            claim, step.reason, evidence=evidence, missing=step.missing, reread=step.reread
        )


def _names(claim: Claim) -> dict[str, str | int]:
    return {"campaign": claim.campaign_id, "batch": claim.unit.batch}
