"""The outside as the intake is given it: real composers, and a scripted product check."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from channels.email import EmailComposer
from channels.email.address import Mailbox
from channels.sms import SmsComposer, segments
from channels.webhook import WebhookComposer
from pipeline.domain.campaign import Campaign, Reward
from pipeline.domain.errors import DeliveryError
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Channel, Composer
from pipeline.intake.preflight.ports import IntakePorts, ProductCheck
from tests.pipeline.channel import ScriptedChannel

SENDER = Mailbox.parse("rewards@example.com", where="the sender")


def composer(campaign: Campaign, channel: ChannelName) -> Composer:
    if channel is ChannelName.EMAIL and campaign.email is not None:
        return EmailComposer(campaign.email, SENDER)
    if channel is ChannelName.SMS and campaign.sms is not None:
        return SmsComposer(campaign.sms)
    return WebhookComposer(campaign)


@dataclass
class UnreachableChannel(ScriptedChannel):
    """A channel whose provider refuses our login."""

    refusal: DeliveryError = field(default_factory=lambda: DeliveryError("x"))

    async def check(self) -> str:
        raise self.refusal


@dataclass
class Outside:
    """A product check that returns `answers` one after the other, and then the last one again."""

    channels: Mapping[ChannelName, Channel] = field(
        default_factory=lambda: {ChannelName.EMAIL: ScriptedChannel()}
    )
    answers: list[str | Exception | None] = field(default_factory=lambda: [None])
    asked: int = 0

    def ports(self) -> IntakePorts:
        return IntakePorts(
            composer=composer,
            channels=self._open_channels,
            products=self._open_products if self.answers else None,
            sms_segments=segments,
            segment_price=Decimal("0.01"),
        )

    @asynccontextmanager
    async def _open_channels(self) -> AsyncIterator[Mapping[ChannelName, Channel]]:
        yield self.channels

    @asynccontextmanager
    async def _open_products(self) -> AsyncIterator[ProductCheck]:
        yield self._check

    async def _check(self, _reward: Reward) -> str | None:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer
