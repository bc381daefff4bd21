"""What the intake is given, from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from channels.sms import segments
from config.settings import RewardsSettings, Settings
from pipeline.domain.campaign import Reward
from pipeline.intake.preflight.ports import IntakePorts, ProductCheck
from pipeline.intake.submission import IntakeLedger
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.memory_token import MemoryToken
from pipeline.rewards.products import check_product
from worker.wiring.composers import composer
from worker.wiring.engine import open_channels, open_rewards
from worker.wiring.ledger import App


def intake_ports(settings: Settings) -> IntakePorts:
    """Return the outside as it is seen without a Redis: the products are asked for anew."""
    rewards, twilio = settings.rewards, settings.twilio
    return IntakePorts(
        composer=partial(composer, settings),
        channels=partial(open_channels, settings),
        products=partial(_open_products_alone, rewards) if rewards else None,
        sms_segments=segments,
        segment_price=twilio.segment_price if twilio else None,
    )


def fleet_intake_ports(app: App) -> IntakePorts:
    """Return the outside as all processes see it: they share a token and know the products."""
    ports = intake_ports(app.settings)
    return replace(ports, products=partial(_open_products, app) if ports.products else None)


def intake_ledger(app: App) -> IntakeLedger:
    """Return where the intake stages and commits campaigns."""
    return IntakeLedger(
        staging=app.staging,
        campaigns=app.campaigns,
        audit=app.audit,
        batch_size=app.settings.batch_size,
    )


@asynccontextmanager
async def _open_products(app: App) -> AsyncIterator[ProductCheck]:
    async with open_rewards(app) as rewards:
        yield rewards.products.check


@asynccontextmanager
async def _open_products_alone(settings: RewardsSettings) -> AsyncIterator[ProductCheck]:
    """Open the products for one process that has no Redis to share a token through."""
    account = Account(
        base_url=settings.base_url,
        email=settings.email,
        access_token=settings.access_token.get_secret_value(),
    )
    async with http_client(settings.base_url, settings.timeout.total_seconds()) as http:
        client = RewardsClient(http, account, MemoryToken)

        async def check(reward: Reward) -> str | None:
            return check_product(await client.products(), reward)

        yield check
