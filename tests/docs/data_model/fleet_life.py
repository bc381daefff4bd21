"""What a fleet leaves in Redis beside its campaigns: limits, alerts, tokens, workers, keys."""

from cryptography.fernet import Fernet

from pipeline.domain.metrics import Measurements
from pipeline.domain.models import FactKind
from pipeline.domain.rate import Rate
from pipeline.domain.vault import Vault
from pipeline.store.audit_trail import AuditAction
from pipeline.store.fleet.alerts import AlertStore
from pipeline.store.fleet.keyring import Keyring
from pipeline.store.fleet.token_cache import CachedToken
from pipeline.store.fleet.workers import Workers
from pipeline.store.formats.alert_records import (
    Alert,
    AlertCause,
    AlertKind,
    AlertPhase,
    AlertRecord,
)
from pipeline.store.product_cache import ProductCache
from pipeline.store.scripts import Scripts
from tests.docs.data_model.life import Look
from tests.pipeline.ledger import EMAIL, Ledger

ACCOUNT = "d00dd01eadde5e73"


async def begin(ledger: Ledger) -> None:
    """Do what the first process does on an empty server."""
    await Keyring(ledger.redis, Vault([Fernet.generate_key().decode()])).unlock()


async def live(ledger: Ledger, look: Look) -> None:
    """Do once all that a fleet does; *look* is called whenever something has changed."""
    await _limits(ledger)
    await _people_are_told(ledger)
    await look()
    await _tokens(ledger, look)
    await _workers(ledger)
    await look()


async def _limits(ledger: Ledger) -> None:
    limiter = ledger.limiter
    await limiter.set_rate("email", Rate.parse("7/s"))
    await limiter.acquire("email")
    await limiter.cool_down("email", 60)
    await limiter.trip("sms", "network", threshold=1)


async def _people_are_told(ledger: Ledger) -> None:
    alerts = AlertStore(ledger.redis, Scripts(ledger.redis))
    await alerts.acquire_turn(60)
    for kind in AlertKind:
        cause = AlertCause("7", kind, "credentials")
        await alerts.put(Alert("url", cause), None, AlertRecord(AlertPhase.SEEN, 5, 5))
    await ledger.audit.add(AuditAction.PAUSE, actor="somebody", campaign="c")


async def _tokens(ledger: Ledger, look: Look) -> None:
    cache = ledger.token_cache(ACCOUNT)
    token = CachedToken(value="s3cret", fresh_until=1.5, usable_until=2.5)
    nonce = await cache.lock(60)
    assert nonce is not None
    await look()
    await cache.store(nonce, token, 60)
    await ProductCache(ledger.redis, ACCOUNT).write(b"[]")
    await look()
    assert await cache.refuse(token.value, 60) == 1


async def _workers(ledger: Ledger) -> None:
    workers, counted = Workers(ledger.redis), Measurements()
    counted.attempt(EMAIL, FactKind.SENT)
    await workers.beat("host-1-aabbcc")
    await workers.report("host-1-aabbcc", counted, leases=2)
    await ledger.purges.acquire_turn("host-1-aabbcc")
