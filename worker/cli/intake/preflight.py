"""What is looked at before anything is submitted: the product, the templates, the mail server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from channels.email import EmailChannel
from config.settings import RewardsSettings, Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import (
    BlockedError,
    ClaimcastError,
    DeliveryError,
    InputError,
    RewardsUnavailableError,
    UnavailableError,
)
from pipeline.domain.models import ChannelName
from pipeline.intake.files.problems import Problem
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.models import Token
from pipeline.rewards.products import check_product
from worker.cli.intake.files import CampaignFile
from worker.cli.intake.preview import NO_SERVER
from worker.wiring.engine import NO_REWARDS, open_app, open_channels, open_rewards
from worker.wiring.ledger import App
from worker.wiring.values import smtp_server

T = TypeVar("T")

# One unlucky answer is no reason to send a person away; an API that is down is.
_PAUSES = (0.3, 1.0, 2.0)

_VARIABLES = {
    ChannelName.EMAIL: "CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER",
    ChannelName.SMS: "CLAIMCAST_TWILIO__ACCOUNT_SID and its like",
    ChannelName.WEBHOOK: "CLAIMCAST_WEBHOOK__URL and CLAIMCAST_WEBHOOK__SECRET",
}


async def check_redis(settings: Settings) -> None:
    """
    Fail within seconds if the configured server cannot be used, where a worker waits a minute.

    Raises what `open_app` raises. The embedded server is left to its user.
    """
    if settings.redis.url is not None:
        async with open_app(settings):
            pass


async def product_problem(app: App, file: CampaignFile, campaign: Campaign) -> Problem | None:
    """
    Check the reward against the products, which are cached for the whole fleet.

    Raises InputError if the API is not configured, UnavailableError if it cannot be reached, and
    CredentialsError.
    """
    async with open_rewards(app) as rewards:
        complaint = await _patiently(lambda: rewards.products.check(campaign.reward))
    return file.problem("reward", complaint) if complaint else None


async def product_problem_alone(
    settings: RewardsSettings, file: CampaignFile, campaign: Campaign
) -> Problem | None:
    """Check the reward as `product_problem` does, without a Redis and so without a cache."""
    async with _lonely_client(settings) as client:
        complaint = check_product(await _patiently(client.products), campaign.reward)
    return file.problem("reward", complaint) if complaint else None


def template_problem(settings: Settings, file: CampaignFile, campaign: Campaign) -> Problem | None:
    """Return what is wrong with the templates as the channel itself compiles them."""
    if ChannelName.EMAIL not in campaign.delivery.channels:
        return None
    server = smtp_server(settings) if settings.smtp else NO_SERVER
    channel = EmailChannel(server)
    try:
        channel.composer(campaign)
    except InputError as error:
        return Problem(where=file.path.name, message=str(error))
    return None


async def require_channels(settings: Settings, campaign: Campaign) -> None:
    """Raise InputError that names every channel of *campaign* that is not set up here."""
    if missing := await _missing(settings, campaign):
        raise InputError(" ".join(missing))


async def require_all(settings: Settings, campaign: Campaign) -> None:
    """Raise InputError as `require_channels` does, also for want of a rewards API."""
    missing = [] if settings.rewards else [NO_REWARDS]
    missing += await _missing(settings, campaign)
    if missing:
        raise InputError(" ".join(missing))


async def check_channels(settings: Settings, campaign: Campaign) -> None:
    """
    Connect to every provider that the campaign needs, and log in, without sending anything.

    For what `require_channels` has let pass. Raises UnavailableError, or InputError if only other
    settings can help.
    """
    async with open_channels(settings) as channels:
        for name in campaign.delivery.channels:
            try:
                await channels[name].check()
            except DeliveryError as error:
                raise _unusable(name, error) from None


async def _missing(settings: Settings, campaign: Campaign) -> list[str]:
    async with open_channels(settings) as channels:
        return [
            f"The campaign uses {name}, which is not set up here: set {_VARIABLES[name]}, "
            f"or take {name} out of delivery.channels."
            for name in campaign.delivery.channels
            if name not in channels
        ]


def _unusable(name: ChannelName, error: DeliveryError) -> ClaimcastError:
    if isinstance(error, BlockedError) and error.fatal:
        msg = f"The provider of {name} refuses us ({error}): correct the settings, see `doctor`."
        return InputError(msg)
    return UnavailableError(f"The provider of {name} cannot be used now ({error}).")


class _OwnToken:
    """In the place of FleetToken: a token for one process, kept in memory."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]]) -> None:
        self._fetch = fetch
        self._value: str | None = None
        self._refused = 0

    async def get(self) -> str:
        if self._value is None:
            self._value = (await self._fetch()).value
        return self._value

    async def discard(self, value: str) -> int:
        if self._value == value:
            self._value = None
            self._refused += 1
        return self._refused

    async def accept(self, _value: str) -> None:
        self._refused = 0


@asynccontextmanager
async def _lonely_client(settings: RewardsSettings) -> AsyncIterator[RewardsClient]:
    """Open the client of somebody who has no Redis to share a token through."""
    account = Account(
        base_url=settings.base_url,
        email=settings.email,
        access_token=settings.access_token.get_secret_value(),
    )
    async with http_client(settings.base_url, settings.timeout.total_seconds()) as http:
        yield RewardsClient(http, account, _OwnToken)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    for pause in _PAUSES:
        try:
            return await call()
        except RewardsUnavailableError:
            await asyncio.sleep(pause)
    try:
        return await call()
    except RewardsUnavailableError as error:
        msg = f"The rewards API cannot be reached ({error}): check CLAIMCAST_REWARDS__BASE_URL."
        raise UnavailableError(msg) from None
