"""Checks that the outside is ready for a campaign: its product, its channels, their providers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from pipeline.domain.campaign import Campaign, Reward
from pipeline.domain.errors import (
    BlockedError,
    ClaimcastError,
    DeliveryError,
    InputError,
    RewardsUnavailableError,
    UnavailableError,
)
from pipeline.domain.models import ChannelName
from pipeline.intake.preflight.ports import ChannelsOpener, IntakePorts, ProductsOpener

T = TypeVar("T")

NO_REWARDS = (
    "The rewards API is not configured: set CLAIMCAST_REWARDS__BASE_URL, "
    "CLAIMCAST_REWARDS__EMAIL and CLAIMCAST_REWARDS__ACCESS_TOKEN."
)

# One failed answer must not refuse a campaign; an API that is down must.
_PAUSES = (0.3, 1.0, 2.0)

_VARIABLES = {
    ChannelName.EMAIL: "CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER",
    ChannelName.SMS: "CLAIMCAST_TWILIO__ACCOUNT_SID and its like",
    ChannelName.WEBHOOK: "CLAIMCAST_WEBHOOK__URL and CLAIMCAST_WEBHOOK__SECRET",
}


async def product_fault(products: ProductsOpener, reward: Reward) -> str | None:
    """
    Return None if *reward* can be ordered, else one sentence on what to change.

    Asks again for some seconds. Raises UnavailableError if the API cannot be reached, and any
    other RewardsError.
    """
    async with products() as check:
        return await _patiently(lambda: check(reward))


async def require_channels(channels: ChannelsOpener, campaign: Campaign) -> None:
    """Raise InputError that names every channel of *campaign* that is not set up here."""
    async with channels() as available:
        _refuse_missing(missing_channels(campaign, available))


async def require_all(ports: IntakePorts, campaign: Campaign) -> None:
    """Raise InputError as `require_channels` does, or if no rewards API is configured."""
    missing = [] if ports.products else [NO_REWARDS]
    async with ports.channels() as available:
        _refuse_missing(missing + missing_channels(campaign, available))


async def check_providers(channels: ChannelsOpener, campaign: Campaign) -> None:
    """
    Connect to every provider that the campaign needs, and log in, without sending anything.

    Call `require_channels` first. Raises UnavailableError, or InputError if only other settings
    can help.
    """
    async with channels() as available:
        for name in campaign.delivery.channels:
            try:
                await available[name].check()
            except DeliveryError as error:
                raise _unusable(name, error) from None


def missing_channels(campaign: Campaign, available: Collection[ChannelName]) -> list[str]:
    """Return a sentence for every channel of *campaign* that is not *available*."""
    return [
        f"The campaign uses {name}, which is not set up here: set {_VARIABLES[name]}, "
        f"or take {name} out of delivery.channels."
        for name in campaign.delivery.channels
        if name not in available
    ]


def _refuse_missing(sentences: list[str]) -> None:
    if sentences:
        raise InputError(" ".join(sentences))


def _unusable(name: ChannelName, error: DeliveryError) -> ClaimcastError:
    if isinstance(error, BlockedError) and error.fatal:
        msg = f"The provider of {name} refuses us ({error}): correct the settings, see `doctor`."
        return InputError(msg)
    return UnavailableError(f"The provider of {name} cannot be used now ({error}).")


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
