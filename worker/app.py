"""The composition root: the only place where settings meet concrete classes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import structlog
from arq.connections import ArqRedis

from channels.email import EmailChannel
from channels.email.address import Mailbox
from channels.sms import SmsChannel
from channels.webhook import WebhookChannel
from config.keys import key_file_hint, secret_keys
from config.settings import Settings
from pipeline.audit import AuditTrail
from pipeline.batch import Lane
from pipeline.errors import ClaimcastError, InputError
from pipeline.leases import Leases
from pipeline.limits import Limiter
from pipeline.measurements import Measurements
from pipeline.models import ChannelName
from pipeline.outbox import Outbox
from pipeline.ports import Channel
from pipeline.recorder import Recorder
from pipeline.returns import Returns
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.products import ProductCatalog
from pipeline.stages.catalog import Catalog
from pipeline.stages.distribute import DistributeStage
from pipeline.stages.fulfilment import FulfilmentStage, OrderReading
from pipeline.stages.order import OrderStage
from pipeline.store.batches import BatchStore
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.keyring import Keyring, WrongKeysError, is_in_use
from pipeline.store.scripts import Scripts
from pipeline.suppression import Suppressions
from pipeline.tasks import stop
from pipeline.tokens import Tokens
from pipeline.units import Stage, Units
from pipeline.vault import Vault
from worker.connection import check_server, connect
from worker.embedded import EmbeddedValkey
from worker.values import rates, retry_policy, smtp_server, twilio_account, webhook_target

log = structlog.get_logger()

_WATCH_SECONDS = 1.0
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What every command needs: the ledger, opened with the right keys."""

    settings: Settings
    url: str
    redis: ArqRedis
    vault: Vault
    keyring: Keyring
    campaigns: CampaignStore
    batches: BatchStore
    deliveries: DeliveryStore
    limiter: Limiter
    suppressions: Suppressions
    tokens: Tokens
    audit: AuditTrail
    measurements: Measurements


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """The rewards API as one account sees it."""

    client: RewardsClient
    products: ProductCatalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """What a worker needs on top: everything that acts."""

    units: Units
    leases: Leases
    recorder: Recorder
    outboxes: Mapping[ChannelName, Outbox]
    alive: Callable[[], bool]
    """Whether everything that runs beside the stages still does."""


@asynccontextmanager
async def open_app(
    settings: Settings, *, patient: bool = False, keys: Literal["seal", "look", "change"] = "seal"
) -> AsyncIterator[App]:
    """
    Connect to Redis (or start or join the embedded server), check it, and unlock the data.

    *keys* says what they are for: who only looks, or is about to change them, is not noted as
    somebody who seals with the first of them.
    Raises InputError, UnavailableError or ConfigError, each with one sentence for people.
    """
    async with AsyncExitStack() as stack:
        configured = settings.redis.url
        if configured is not None:
            secret_keys(settings)  # missing ones are told before anything is tried
            url = configured.get_secret_value()
        else:
            embedded = EmbeddedValkey(settings.state_dir)
            stack.callback(embedded.release)
            url = await asyncio.to_thread(embedded.start_or_join)
            await stack.enter_async_context(_background(_watch(embedded)))
        redis = connect(url, patient=patient)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        for warning in await check_server(redis, accept_unsafe=settings.unsafe_redis):
            log.warning("redis.unsafe", why=warning)
        keyring, vault = await _unlocked(settings, redis, keys)
        if keys == "seal":
            stack.push_async_callback(keyring.leave)
            await stack.enter_async_context(_background(keyring.stay()))
        scripts, measurements = Scripts(redis), Measurements()
        yield App(
            settings=settings,
            url=url,
            redis=redis,
            vault=vault,
            keyring=keyring,
            campaigns=CampaignStore(redis, scripts, vault),
            batches=BatchStore(redis, scripts, vault),
            deliveries=DeliveryStore(redis, scripts),
            limiter=Limiter(redis, scripts, rates(settings), measurements),
            suppressions=Suppressions(redis, vault),
            tokens=Tokens(vault),
            audit=AuditTrail(redis, scripts, vault),
            measurements=measurements,
        )


async def _unlocked(settings: Settings, redis: ArqRedis, use: str) -> tuple[Keyring, Vault]:
    keys = secret_keys(settings, in_use=await is_in_use(redis))
    vault = Vault([key.get_secret_value() for key in keys])
    keyring = Keyring(redis, vault)
    try:
        return keyring, await keyring.unlock(seals=use == "seal", lenient=use == "change")
    except WrongKeysError as error:
        hint = key_file_hint(settings)
        raise InputError(f"{error} {hint}".rstrip()) from error


@asynccontextmanager
async def open_rewards(app: App) -> AsyncIterator[Rewards]:
    """Open the connection pool to the rewards API; raises InputError if it is not configured."""
    found = app.settings.rewards
    if found is None:
        msg = (
            "The rewards API is not configured: set CLAIMCAST_REWARDS__BASE_URL, "
            "CLAIMCAST_REWARDS__EMAIL and CLAIMCAST_REWARDS__ACCESS_TOKEN."
        )
        raise InputError(msg)
    account = Account(
        base_url=found.base_url,
        email=found.email,
        access_token=found.access_token.get_secret_value(),
    )
    async with http_client(found.base_url, found.timeout.total_seconds()) as http:
        client = RewardsClient(http, account, app.redis, app.vault)
        products = ProductCatalog(app.redis, account=account.key, fetch=client.products)
        yield Rewards(client=client, products=products)


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Mapping[ChannelName, Channel]]:
    """Make every channel that is configured; connections are opened when first needed."""
    channels: dict[ChannelName, Channel] = {}
    if settings.smtp is not None:
        channels[ChannelName.EMAIL] = EmailChannel(smtp_server(settings))
    if settings.twilio is not None:
        channels[ChannelName.SMS] = SmsChannel(twilio_account(settings.twilio))
    if settings.webhook is not None:
        channels[ChannelName.WEBHOOK] = WebhookChannel(webhook_target(settings.webhook))
    try:
        yield channels
    finally:
        for channel in channels.values():
            await channel.aclose()


@asynccontextmanager
async def open_machinery(app: App) -> AsyncIterator[Machinery]:
    """Wire the stages and start what runs beside them: senders, recorder, heartbeat."""
    async with open_rewards(app) as rewards, open_channels(app.settings) as channels:
        if not channels:
            msg = (
                "No channel is configured: set CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER, "
                "or CLAIMCAST_TWILIO__ACCOUNT_SID, __AUTH_TOKEN and a sender, or "
                "CLAIMCAST_WEBHOOK__URL and __SECRET."
            )
            raise InputError(msg)
        recorder = Recorder(app.deliveries)
        leases = Leases(app.batches, app.settings.lease_seconds)
        outboxes = {
            name: Outbox(
                channel,
                recorder,
                app.limiter,
                app.campaigns,
                retry_policy(app.settings),
                app.suppressions,
                measurements=app.measurements,
            )
            for name, channel in channels.items()
        }
        units = _units(app, rewards, channels, outboxes, leases)
        # A group: should one of them die of a defect, the worker ends instead of idling for ever.
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(outbox.run()) for outbox in outboxes.values()]
            others = [group.create_task(recorder.run()), group.create_task(leases.run())]
            try:
                yield Machinery(
                    units=units,
                    leases=leases,
                    recorder=recorder,
                    outboxes=outboxes,
                    alive=lambda: not any(task.done() for task in (*senders, *others)),
                )
            except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it
                failure = error
            finally:
                await stop(*senders)
                await _drain(recorder, patience=0 if others[0].done() else _DRAIN_SECONDS)
                await stop(*others)
        if failure is not None:
            raise failure


def _returns(app: App) -> Returns:
    address = app.settings.smtp.bounces if app.settings.smtp else None
    bounces = Mailbox.parse(address, where="CLAIMCAST_SMTP__BOUNCES").address if address else None
    return Returns(app.tokens, public_url=app.settings.public_url, bounces=bounces)


def _units(
    app: App,
    rewards: Rewards,
    channels: Mapping[ChannelName, Channel],
    outboxes: Mapping[ChannelName, Outbox],
    leases: Leases,
) -> Units:
    found = app.settings.rewards
    assert found is not None  # noqa: S101 - open_rewards has checked it
    catalog, returns = Catalog(app.campaigns, channels), _returns(app)
    fulfilment = FulfilmentStage(
        batches=app.batches,
        campaigns=app.campaigns,
        limiter=app.limiter,
        rewards=rewards.client,
        catalog=catalog,
        reading=OrderReading(
            completed=found.completed_statuses,
            failed=found.failed_statuses,
            links_path=found.links_path,
            overdue=found.overdue.total_seconds(),
            webhooks=returns.webhooks,
        ),
        measurements=app.measurements,
    )
    order = OrderStage(
        batches=app.batches,
        campaigns=app.campaigns,
        limiter=app.limiter,
        rewards=rewards.client,
        products=rewards.products,
        catalog=catalog,
        fulfilment=fulfilment,
        funds_probe=found.funds_probe.total_seconds(),
        returns=returns,
        audit=app.audit,
    )
    distribute = DistributeStage(
        batches=app.batches,
        campaigns=app.campaigns,
        deliveries=app.deliveries,
        limiter=app.limiter,
        catalog=catalog,
        outboxes=outboxes,
        suppressions=app.suppressions,
        returns=returns,
    )
    stages: dict[Lane, Stage] = {Lane.ORDER: order, Lane.READ: fulfilment, Lane.SEND: distribute}
    return Units(
        leases=leases,
        batches=app.batches,
        stages=stages,
        measurements=app.measurements,
        missing_keys=app.keyring.missing,
    )


async def _watch(embedded: EmbeddedValkey) -> None:
    """Start the embedded server again whenever it died; the clients wait meanwhile."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        try:
            if await asyncio.to_thread(embedded.ensure):
                log.warning("valkey.restarted")
        except ClaimcastError as error:
            log.warning("valkey.not_restarted", why=str(error))


async def _drain(recorder: Recorder, *, patience: float) -> None:
    """Give results a last chance to be written; what is not, comes back as uncertain."""
    try:
        await asyncio.wait_for(recorder.drained(), timeout=patience)
    except TimeoutError:
        log.warning("facts.left_unrecorded")


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await stop(task)
