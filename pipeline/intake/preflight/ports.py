"""The ports through which the intake reaches the outside and composes messages."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from pipeline.domain.campaign import Campaign, Reward
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Channel, Composer

ComposerFactory = Callable[[Campaign, ChannelName], Composer]
"""
Compiles the templates of a campaign for one of its channels, also where no provider is set up.

Raises InputError if a template, the sender or `reply_to` cannot be used.
"""

ChannelsOpener = Callable[[], AbstractAsyncContextManager[Mapping[ChannelName, Channel]]]
"""Opens the channels that are set up here, for the time of the context."""

ProductCheck = Callable[[Reward], Awaitable[str | None]]
"""Returns None if the reward can be ordered, else one sentence; raises a RewardsError."""

ProductsOpener = Callable[[], AbstractAsyncContextManager[ProductCheck]]
"""Opens the products of the account; raises InputError if its credentials cannot be used."""


class SmsSegments(Protocol):
    """The segments into which one text is split."""

    @property
    def count(self) -> int: ...

    @property
    def encoding(self) -> str:
        """Either gsm7 or ucs2."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakePorts:
    """
    The outside as the intake sees it; `products` is None where no rewards API is configured.

    `sms_segments` splits a text, `segment_price` is what one segment costs, if that is known.
    """

    composer: ComposerFactory
    channels: ChannelsOpener
    products: ProductsOpener | None
    sms_segments: Callable[[str], SmsSegments]
    segment_price: Decimal | None = None
