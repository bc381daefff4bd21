"""What is looked at before anything is submitted: the product, the templates, the mail server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from channels.email import EmailChannel
from config.settings import RewardsSettings, Settings
from pipeline.campaign import Campaign
from pipeline.errors import (
    BlockedError,
    DeliveryError,
    InputError,
    RewardsUnavailableError,
    UnavailableError,
)
from pipeline.intake.problems import Problem
from pipeline.models import ChannelName
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.models import Token
from pipeline.rewards.products import check_product
from worker.app import App, open_app, open_rewards, smtp_server
from worker.cli.inputs import CampaignFile
from worker.cli.preview import NO_SERVER

T = TypeVar("T")

# One unlucky answer is no reason to send a person away; an API that is down is.
_PAUSES = (0.3, 1.0, 2.0)


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
    async with aclosing(_LonelyClient(settings)) as client:
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


def require_channels(settings: Settings, campaign: Campaign) -> None:
    """Raise InputError if a channel of *campaign* has no settings here."""
    for channel in campaign.delivery.channels:
        if channel is ChannelName.EMAIL:
            smtp_server(settings)
        else:
            msg = f"This version cannot send over {channel}: take it out of delivery.channels."
            raise InputError(msg)


async def check_mail_server(settings: Settings) -> None:
    """
    Connect and log in without sending anything.

    Raises UnavailableError, or InputError if only other settings can help.
    """
    channel = EmailChannel(smtp_server(settings))
    try:
        await channel.check()
    except DeliveryError as error:
        server = smtp_server(settings)
        if isinstance(error, BlockedError) and error.fatal:
            msg = f"The mail server {server} refuses us ({error}): check CLAIMCAST_SMTP__*."
            raise InputError(msg) from None
        msg = f"The mail server {server} cannot be used ({error}); nothing was submitted."
        raise UnavailableError(msg) from None
    finally:
        await channel.aclose()


class _OwnToken:
    """In the place of FleetToken: a token for one process, kept in memory."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]]) -> None:
        self._fetch = fetch
        self._value: str | None = None

    async def get(self) -> str:
        if self._value is None:
            self._value = (await self._fetch()).value
        return self._value

    async def discard(self, value: str) -> None:
        if self._value == value:
            self._value = None


class _LonelyClient(RewardsClient):
    """The client of somebody who has no Redis to share a token through."""

    def __init__(self, settings: RewardsSettings) -> None:
        self._http = http_client(settings.base_url, settings.timeout.total_seconds())
        self._account = Account(
            base_url=settings.base_url,
            email=settings.email,
            access_token=settings.access_token.get_secret_value(),
        )
        self._tokens = _OwnToken(self.create_token)  # type: ignore[assignment] # all that is used

    async def aclose(self) -> None:
        await self._http.aclose()


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
