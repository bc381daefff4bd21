"""Campaigns whose people ask for a resend, and the time that passes before they do."""

from typing import Protocol

from pipeline.domain.models import ChannelName
from pipeline.domain.resend_history import Resend
from pipeline.domain.vault import Vault
from pipeline.operations.resend import LinkResender
from pipeline.operations.resend_rules import ResendRequest
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.batch_pages import BatchPages
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.scripts import Scripts
from pipeline.store.suppressions import Suppressions
from tests.support.redis import Redis

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
OTHER = "other@example.com"


class Stores(Protocol):
    """A ledger or an installation."""

    @property
    def redis(self) -> Redis: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def campaigns(self) -> CampaignStore: ...
    @property
    def deliveries(self) -> DeliveryStore: ...
    @property
    def pages(self) -> BatchPages: ...


def resending(stores: Stores) -> LinkResender:
    return LinkResender(
        stores.pages,
        stores.vault,
        campaigns=stores.campaigns,
        deliveries=stores.deliveries,
        suppressions=Suppressions(stores.redis, stores.vault),
        audit=AuditTrail(stores.redis, Scripts(stores.redis), stores.vault),
    )


async def resend(
    stores: Stores,
    serial: str,
    recipient: str,
    channel: ChannelName | None = None,
    address: str = "",
    *,
    elsewhere: bool = False,
) -> Resend:
    snapshot = await stores.campaigns.snapshot(serial)
    request = ResendRequest(channel=channel, address=address, elsewhere=elsewhere)
    return await resending(stores).resend(snapshot, recipient, request, actor="ann")


async def a_minute_passes(stores: Stores, serial: str) -> None:
    """Move everything that has happened a minute into the past."""
    await stores.redis.hincrby(f"cc:{serial}", "t0", -60_000)
