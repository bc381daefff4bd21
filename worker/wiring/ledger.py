"""The ledger opened with the right keys: what every command needs, and no more than that."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from config.keys import key_file_hint, secret_keys
from config.settings import Settings
from pipeline.callbacks.signed_tokens import SignedTokens
from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.domain.metrics import Measurements
from pipeline.domain.rate import Rate
from pipeline.domain.stored_format import FormatError
from pipeline.domain.tasks import stop
from pipeline.domain.vault import Vault
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.batch_pages import BatchPages
from pipeline.store.batches import BatchStore
from pipeline.store.campaigns import CampaignStore
from pipeline.store.client import Client
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.fleet.alerts import AlertStore
from pipeline.store.fleet.keyring import Keyring, WrongKeysError, is_in_use
from pipeline.store.fleet.readings import Readings
from pipeline.store.fleet.server import Server
from pipeline.store.fleet.workers import Workers
from pipeline.store.lookups import Lookups
from pipeline.store.maintenance.erasures import ErasureStore
from pipeline.store.maintenance.purges import PurgeStore
from pipeline.store.maintenance.reorders import ReorderStore
from pipeline.store.maintenance.sealed_blobs import SealedBlobs
from pipeline.store.rate_limiter import Limiter
from pipeline.store.scripts import Scripts
from pipeline.store.staging import StagingStore
from pipeline.store.suppressions import Suppressions
from worker.valkey.embedded import EmbeddedValkey
from worker.wiring.redis import check_server, connect, syncs_of

Use = Literal["seal", "look", "change"]

_WATCH_SECONDS = 1.0


class Log(Protocol):
    """Takes warnings about the embedded server; a logger of structlog does, and so does less."""

    def warning(self, event: str, /, **fields: str) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What every command needs: the ledger, opened with the right keys."""

    settings: Settings
    url: str
    redis: Client
    scripts: Scripts
    vault: Vault
    keyring: Keyring
    staging: StagingStore
    campaigns: CampaignStore
    batches: BatchStore
    deliveries: DeliveryStore
    limiter: Limiter
    suppressions: Suppressions
    tokens: SignedTokens
    pages: BatchPages
    lookups: Lookups
    purges: PurgeStore
    erasures: ErasureStore
    order_replacement: ReorderStore
    blobs: SealedBlobs
    audit: AuditTrail
    alerts: AlertStore
    workers: Workers
    readings: Readings
    server: Server
    measurements: Measurements


@asynccontextmanager
async def open_ledger(
    settings: Settings, log: Log, *, patient: bool = False, keys: Use = "seal"
) -> AsyncIterator[App]:
    """
    Connect to Redis (or start or join the embedded server), check it, and unlock the data.

    *keys* says what they are for: a process that only looks, or is about to change them, is not
    noted as one that seals with the first of them.
    Raises InputError, UnavailableError or ConfigError, each with one sentence for people.
    """
    async with AsyncExitStack() as stack:
        configured = settings.redis.url
        if configured is not None:
            secret_keys(settings)  # missing ones are reported before anything is tried
            url = configured.get_secret_value()
        else:
            embedded = EmbeddedValkey(settings.state_dir)
            stack.callback(embedded.release)
            stack.push(embedded.explain)
            url = await asyncio.to_thread(embedded.start_or_join)
            await stack.enter_async_context(_background(_watch(embedded, log)))
        redis = connect(url, patient=patient)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        for warning in await check_server(redis, accept_unsafe=settings.unsafe_redis):
            log.warning("redis.unsafe", why=warning)
        keyring, vault = await _unlocked(settings, redis, keys)
        if keys == "seal":
            stack.push_async_callback(keyring.leave)
        await stack.enter_async_context(_keep_enrolled(keyring, seals=keys == "seal"))
        # Without CLAIMCAST_UNSAFE_REDIS anything less than `always` was refused above.
        syncs = await syncs_of(redis) if settings.unsafe_redis else None
        scripts, measurements = Scripts(redis, syncs), Measurements()
        yield App(
            settings=settings,
            url=url,
            redis=redis,
            scripts=scripts,
            vault=vault,
            keyring=keyring,
            staging=StagingStore(redis, scripts, vault),
            campaigns=CampaignStore(redis, scripts, vault),
            batches=BatchStore(redis, scripts, vault),
            deliveries=DeliveryStore(redis, scripts),
            limiter=Limiter(redis, scripts, _rates(settings), measurements),
            suppressions=Suppressions(redis, vault),
            tokens=SignedTokens(vault),
            pages=BatchPages(redis),
            lookups=Lookups(redis, vault),
            purges=PurgeStore(redis, scripts),
            erasures=ErasureStore(scripts),
            order_replacement=ReorderStore(scripts, vault),
            blobs=SealedBlobs(redis, scripts),
            audit=AuditTrail(redis, scripts, vault),
            alerts=AlertStore(redis, scripts),
            workers=Workers(redis),
            readings=Readings(redis),
            server=Server(redis),
            measurements=measurements,
        )


async def _unlocked(settings: Settings, redis: Client, use: Use) -> tuple[Keyring, Vault]:
    keys = secret_keys(settings, in_use=await is_in_use(redis))
    vault = Vault([key.get_secret_value() for key in keys])
    keyring = Keyring(redis, vault)
    try:
        return keyring, await keyring.unlock(seals=use == "seal", lenient=use == "change")
    except WrongKeysError as error:
        hint = key_file_hint(settings)
        raise InputError(f"{error} {hint}".rstrip()) from error


@asynccontextmanager
async def _keep_enrolled(keyring: Keyring, *, seals: bool) -> AsyncIterator[None]:
    """
    Stay for the time of the block; raise FormatError at its end if the data got too new for us.

    That ends the block as SIGTERM does, which each command knows: what is on the wire is settled.
    """
    refused: list[FormatError] = []

    async def keep_enrolled() -> None:
        try:
            await keyring.keep_enrolled(seals=seals)
        except FormatError as error:
            refused.append(error)
            if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # else it is ending already
                signal.raise_signal(signal.SIGTERM)

    try:
        async with _background(keep_enrolled()):
            yield
    finally:
        if refused:
            raise refused[0]


def _rates(settings: Settings) -> dict[str, Rate]:
    """Return the rates of the fleet; a limiter has the name of its setting."""
    return {name: Rate.parse(rate) for name, rate in settings.limits}


async def _watch(embedded: EmbeddedValkey, log: Log) -> None:
    """
    Start the embedded server again whenever it died; the clients wait meanwhile.

    What keeps it from running is logged once; that it is over, too, once that has lasted.
    """
    troubled = False
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        try:
            started = await asyncio.to_thread(embedded.ensure)
        except ClaimcastError as error:
            if not troubled:
                log.warning("valkey.not_restarted", why=str(error))
            troubled = True
        else:
            if embedded.steady if troubled else started:
                log.warning("valkey.restarted")
                troubled = False


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await stop(task)
