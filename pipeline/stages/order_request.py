"""The order of a batch: the same on every machine, and on every call."""

from pipeline.domain.campaign import Campaign
from pipeline.rewards.models import OrderRequest
from pipeline.store.batches import Claim


def po_number(campaign_id: str, batch: int) -> str:
    """
    Return the PO number of a batch, different for every batch of every campaign.

    The batch is the last group, so no two pairs of campaign and batch share a number.
    """
    return f"CC-{campaign_id}-{batch:05d}"


def order_request(
    claim: Claim, campaign: Campaign, webhook_url: str | None = None
) -> OrderRequest:
    """Return the order of a batch; a PO number that was stored is never computed again."""
    return OrderRequest(
        po_number=claim.batch.order.po_number or po_number(claim.campaign_id, claim.unit.batch),
        product_id=campaign.reward.product_id,
        value=campaign.reward.value,
        quantity=claim.batch.quantity,
        webhook_url=webhook_url,
    )
