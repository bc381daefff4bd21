"""The composition root: where settings meet what orders and sends, on top of the ledger."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from channels.email import EmailChannel
from channels.email.address import Mailbox
from channels.sms import SmsChannel
from channels.webhook import WebhookChannel
from config.settings import Settings
from pipeline.callbacks.return_paths import ReturnPathFactory
from pipeline.domain.batch import Lane
from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Channel
from pipeline.domain.tasks import stop
from pipeline.execution.leases import Leases
from pipeline.execution.unit_runner import Stage, UnitRunner
from pipeline.intake.preflight.outside import NO_REWARDS
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.products import ProductCatalog
from pipeline.rewards.tokens import FleetToken
from pipeline.sending.dispatcher import Dispatcher
from pipeline.sending.result_writer import ResultWriter
from pipeline.stages.await_fulfilment import FulfilmentStage, OrderReading
from pipeline.stages.campaign_cache import CampaignCache
from pipeline.stages.distribute import DistributeStage
from pipeline.stages.order import OrderStage
from pipeline.store.fleet.token_cache import TokenCache
from pipeline.store.product_cache import ProductCache
from worker.wiring.ledger import App, Use, open_ledger
from worker.wiring.values import retry_policy, smtp_server, twilio_account, webhook_target

log = structlog.get_logger()

_DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """The rewards API as one account sees it."""

    client: RewardsClient
    products: ProductCatalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What a worker needs on top: everything that acts, and the name it acts under."""

    name: str
    units: UnitRunner
    leases: Leases
    result_writer: ResultWriter
    dispatchers: Mapping[ChannelName, Dispatcher]
    alive: Callable[[], bool]
    """Whether everything that runs beside the stages still does."""


@asynccontextmanager
async def open_app(
    settings: Settings, *, patient: bool = False, keys: Use = "seal"
) -> AsyncIterator[App]:
    """Open the ledger as `open_ledger` does, for a command that logs."""
    async with open_ledger(settings, log, patient=patient, keys=keys) as app:
        yield app


@asynccontextmanager
async def open_rewards(app: App) -> AsyncIterator[Rewards]:
    """Open the connection pool to the rewards API; raises InputError if it is not configured."""
    found = app.settings.rewards
    if found is None:
        raise InputError(NO_REWARDS)
    account = Account(
        base_url=found.base_url,
        email=found.email,
        access_token=found.access_token.get_secret_value(),
    )
    async with http_client(found.base_url, found.timeout.total_seconds()) as http:
        tokens = TokenCache(app.redis, app.scripts, app.vault, account.digest)
        client = RewardsClient(http, account, partial(FleetToken, tokens))
        products = ProductCatalog(ProductCache(app.redis, account.digest), fetch=client.products)
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
async def open_engine(app: App) -> AsyncIterator[Engine]:
    """Wire the stages and start what runs beside them: senders, result writer, heartbeat."""
    async with open_rewards(app) as rewards, open_channels(app.settings) as channels:
        if not channels:
            msg = (
                "No channel is configured: set CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER, "
                "or CLAIMCAST_TWILIO__ACCOUNT_SID, __AUTH_TOKEN and a sender, or "
                "CLAIMCAST_WEBHOOK__URL and __SECRET."
            )
            raise InputError(msg)
        result_writer = ResultWriter(app.deliveries)
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        leases = Leases(app.batches, app.settings.lease_seconds, holder=name)
        dispatchers = {
            name: Dispatcher(
                channel,
                result_writer,
                app.limiter,
                app.campaigns,
                retry_policy(app.settings),
                app.suppressions,
                measurements=app.measurements,
            )
            for name, channel in channels.items()
        }
        units = _units(app, rewards, channels, dispatchers, leases)
        # A group: should one of them die of a defect, the worker ends instead of idling for ever.
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(dispatcher.run()) for dispatcher in dispatchers.values()]
            others = [group.create_task(result_writer.run()), group.create_task(leases.run())]
            try:
                yield Engine(
                    name=name,
                    units=units,
                    leases=leases,
                    result_writer=result_writer,
                    dispatchers=dispatchers,
                    alive=lambda: not any(task.done() for task in (*senders, *others)),
                )
            except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it
                failure = error
            finally:
                await stop(*senders)
                await _drain(result_writer, patience=0 if others[0].done() else _DRAIN_SECONDS)
                await stop(*others)
        if failure is not None:
            raise failure


def _returns(app: App) -> ReturnPathFactory:
    address = app.settings.smtp.bounces if app.settings.smtp else None
    bounces = Mailbox.parse(address, where="CLAIMCAST_SMTP__BOUNCES").address if address else None
    return ReturnPathFactory(app.tokens, public_url=app.settings.public_url, bounces=bounces)


def _units(
    app: App,
    rewards: Rewards,
    channels: Mapping[ChannelName, Channel],
    dispatchers: Mapping[ChannelName, Dispatcher],
    leases: Leases,
) -> UnitRunner:
    found = app.settings.rewards
    assert found is not None  # noqa: S101 - open_rewards has checked it
    campaign_cache, returns = CampaignCache(app.campaigns, channels), _returns(app)
    fulfilment = FulfilmentStage(
        batches=app.batches,
        campaigns=app.campaigns,
        limiter=app.limiter,
        rewards=rewards.client,
        campaign_cache=campaign_cache,
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
        campaign_cache=campaign_cache,
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
        campaign_cache=campaign_cache,
        dispatchers=dispatchers,
        suppressions=app.suppressions,
        returns=returns,
    )
    stages: dict[Lane, Stage] = {Lane.ORDER: order, Lane.READ: fulfilment, Lane.SEND: distribute}
    return UnitRunner(
        leases=leases,
        batches=app.batches,
        stages=stages,
        measurements=app.measurements,
        missing_keys=app.keyring.missing,
    )


async def _drain(result_writer: ResultWriter, *, patience: float) -> None:
    """Give results a last chance to be written; what is not, comes back as uncertain."""
    try:
        await asyncio.wait_for(result_writer.drained(), timeout=patience)
    except TimeoutError:
        log.warning("facts.left_unrecorded")
