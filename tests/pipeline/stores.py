"""The stores that only some tests need, made of what every ledger of a test has."""

from pipeline.domain.vault import Vault
from pipeline.intake.submission import IntakeLedger
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.batch_pages import BatchPages
from pipeline.store.campaigns import CampaignStore
from pipeline.store.fleet.token_cache import TokenCache
from pipeline.store.lookups import Lookups
from pipeline.store.maintenance.erasures import ErasureStore
from pipeline.store.maintenance.purges import PurgeStore
from pipeline.store.maintenance.reorders import ReorderStore
from pipeline.store.maintenance.sealed_blobs import SealedBlobs
from pipeline.store.scripts import Scripts
from pipeline.store.staging import StagingStore
from tests.support.redis import Redis


class Stores:
    __slots__ = ()

    redis: Redis
    vault: Vault
    campaigns: CampaignStore

    def intake_ledger(self, batch_size: int) -> IntakeLedger:
        """Return where a test submits to, in batches of so many people."""
        return IntakeLedger(
            staging=self.staging,
            campaigns=self.campaigns,
            audit=AuditTrail(self.redis, Scripts(self.redis), self.vault),
            batch_size=batch_size,
        )

    @property
    def staging(self) -> StagingStore:
        return StagingStore(self.redis, Scripts(self.redis), self.vault)

    @property
    def pages(self) -> BatchPages:
        return BatchPages(self.redis)

    @property
    def lookups(self) -> Lookups:
        return Lookups(self.redis, self.vault)

    @property
    def purges(self) -> PurgeStore:
        return PurgeStore(self.redis, Scripts(self.redis))

    @property
    def erasures(self) -> ErasureStore:
        return ErasureStore(Scripts(self.redis))

    @property
    def order_replacement(self) -> ReorderStore:
        return ReorderStore(Scripts(self.redis), self.vault)

    @property
    def blobs(self) -> SealedBlobs:
        return SealedBlobs(self.redis, Scripts(self.redis))

    def token_cache(self, account: str) -> TokenCache:
        """Return where the token of a rewards account rests; *account* is its digest."""
        return TokenCache(self.redis, Scripts(self.redis), self.vault, account)
