"""Stage "order": one POST under one PO number, recorded before it leaves."""

import random
import secrets

import structlog

from pipeline.callbacks.return_paths import ReturnPathFactory
from pipeline.domain.batch import Lane
from pipeline.domain.errors import (
    AbandonedError,
    RefusedError,
    RewardsError,
    RewardsUnavailableError,
)
from pipeline.domain.rate import FleetLimit
from pipeline.execution.leases import Lease
from pipeline.rewards.client import RewardsClient
from pipeline.rewards.models import Order, OrderRequest, order_difference
from pipeline.rewards.products import ProductCatalog, check_product
from pipeline.stages.await_fulfilment import FulfilmentStage
from pipeline.stages.campaign_cache import CachedCampaign, CampaignCache
from pipeline.stages.order_decisions import (
    Adopt,
    BlockOrdering,
    Hold,
    OrderStep,
    Placed,
    Wait,
    decide_adoption,
    decide_order,
)
from pipeline.stages.order_request import order_request
from pipeline.stages.permits import order_permit, permit
from pipeline.store.audit_trail import AuditAction, AuditTrail
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.rate_limiter import Limiter

log = structlog.get_logger()


class OrderStage:
    """The stage: orders the links of a batch, exactly once under its PO number."""

    def __init__(  # noqa: PLR0913 - all that ordering touches
        self,
        *,
        batches: BatchStore,
        campaigns: CampaignStore,
        limiter: Limiter,
        rewards: RewardsClient,
        products: ProductCatalog,
        campaign_cache: CampaignCache,
        fulfilment: FulfilmentStage,
        funds_probe: float,
        returns: ReturnPathFactory,
        audit: AuditTrail,
    ) -> None:
        self._batches = batches
        self._campaigns = campaigns
        self._limiter = limiter
        self._rewards = rewards
        self._products = products
        self._campaign_cache = campaign_cache
        self._fulfilment = fulfilment
        self._funds_probe = funds_probe
        self._returns = returns
        self._audit = audit

    async def run(self, lease: Lease) -> None:
        """Order one batch; when this returns, the ledger has the result. May be repeated."""
        claim = lease.claim
        if claim.cancelled:
            await self._batches.cancel(claim, "order_unknown" if claim.batch.order.posts else "")
            return
        cached = await self._campaign_cache.of(claim)
        step = await self._check(claim, cached) or await self._order(lease, cached)
        if step is not None:
            await self._settle(claim, step)

    async def _check(self, claim: Claim, cached: CachedCampaign) -> OrderStep | None:
        """Check that the product can be ordered; its data is cached for a week."""
        if cached.product_checked:
            return None
        try:
            problem = await self._products.check(cached.campaign.reward)
        except RewardsError as error:
            return await self._decide(claim, error)
        cached.product_checked = problem is None
        return None if problem is None else BlockOrdering("product_refused", problem)

    async def _order(self, lease: Lease, cached: CachedCampaign) -> OrderStep | None:
        """Place the order; return the step that follows, or None if it was read and settled."""
        claim = lease.claim
        wait = await order_permit(self._limiter, interrupted=claim.batch.order.interrupted)
        if wait:
            return Wait(wait)
        unit = claim.unit
        webhook = self._returns.of_order(unit.serial, unit.batch)
        request = order_request(claim, cached.campaign, webhook)
        nonce = secrets.token_hex(8)
        if not claim.batch.order.posts:
            await self._record(AuditAction.ORDER, claim, request.po_number)
        posts = await self._batches.order_intent(
            claim,
            po_number=request.po_number,
            payload_hash=request.payload_hash(),
            nonce=nonce,
        )
        if posts is None:
            return Hold("order_changed")
        try:
            order = await self._rewards.create_order(request, lease.check)
        except AbandonedError:
            # The lease was lost or the campaign was paused just before the POST: it never left.
            await self._batches.order_unsent(claim, nonce)
            raise
        except RewardsError as error:
            if _ordered_nothing(error):
                await self._batches.order_unsent(claim, nonce)
            # The cached products may be a week old: ask once more before blocking the campaign.
            if isinstance(error, RefusedError):
                cached.product_checked = False
                return await self._explain(cached, error)
            return await self._refused(lease, request, error, posts=posts)
        await self._placed(lease, order)
        return None

    async def _refused(
        self, lease: Lease, request: OrderRequest, error: RewardsError, *, posts: int
    ) -> OrderStep | None:
        step = await self._decide(lease.claim, error, posts=posts)
        return (
            await self._adopt(lease, request, step.order_id) if isinstance(step, Adopt) else step
        )

    async def _decide(self, claim: Claim, error: RewardsError, *, posts: int = 0) -> OrderStep:
        snapshot = await self._campaigns.snapshot(claim.unit.serial)
        return decide_order(
            error,
            claim.batch,
            posts_before=posts,
            probes=snapshot.probes(Lane.ORDER),
            funds_probe=self._funds_probe,
            jitter=random.random(),  # noqa: S311 - jitter is no secret
        )

    async def _explain(self, cached: CachedCampaign, error: RefusedError) -> OrderStep:
        try:
            problem = check_product(await self._products.get(fresh=True), cached.campaign.reward)
        except RewardsError:
            problem = None
        return (
            BlockOrdering("product_refused", problem)
            if problem
            else BlockOrdering("order_refused", error.detail)
        )

    async def _adopt(self, lease: Lease, request: OrderRequest, order_id: str) -> OrderStep | None:
        """Compare the order under our PO number with ours; adopt it only if nothing differs."""
        wait = await permit(self._limiter, FleetLimit.READS)
        if wait:
            return Wait(wait)
        try:
            order = await self._rewards.read_order(order_id)
        except RewardsError as error:
            return await self._decide(lease.claim, error)
        step = decide_adoption(order_id, order_difference(order, request))
        if not isinstance(step, Placed):
            return step
        log.info("order.adopted", **_names(lease.claim), order_id=order.id)
        await self._record(AuditAction.ADOPT, lease.claim, request.po_number)
        await self._placed(lease, order)
        return None

    async def _record(self, action: AuditAction, claim: Claim, po_number: str) -> None:
        await self._audit.add(
            action,
            actor="worker",
            campaign=claim.campaign_id,
            batch=claim.unit.batch,
            po_number=po_number,
            quantity=claim.batch.size,
        )

    async def _placed(self, lease: Lease, order: Order) -> None:
        claim = lease.claim
        lease.claim = await self._batches.order_placed(claim, order.id)
        log.info("order.placed", **_names(claim), order_id=order.id, quantity=claim.batch.size)
        await self._fulfilment.settle(lease, order)

    async def _settle(self, claim: Claim, step: OrderStep) -> None:
        match step:
            case Wait():
                if step.cool_down:
                    await self._limiter.cool_down(FleetLimit.ORDERS, step.cool_down)
                await self._batches.release(claim, delay=step.delay, counter=step.counter)
            case Hold():
                log.warning("batch.held", **_names(claim), reason=step.reason)
                await self._batches.hold(claim, step.reason, missing=0, reread=0)
            case BlockOrdering():
                log.warning("campaign.blocked", **_names(claim), reason=step.reason)
                await self._campaigns.block(
                    claim.unit.serial,
                    Lane.ORDER,
                    step.reason,
                    step.words,
                    probe_after=step.probe_after,
                )
                await self._batches.release(claim, delay=0)
            case Placed() | Adopt():  # these steps were carried out already
                pass


def _ordered_nothing(error: RewardsError) -> bool:
    """
    Return whether a POST that met *error* certainly placed no order.

    Only a POST that may have placed one makes the order found under its PO number later ours.
    """
    if isinstance(error, RewardsUnavailableError):
        return not error.sent or error.code == "http_429"
    return True


def _names(claim: Claim) -> dict[str, str | int]:
    return {"campaign": claim.campaign_id, "batch": claim.unit.batch}
