"""Estimates the SMS of a campaign: messages, segments, and the cost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import ChannelName, Recipient, ReturnPaths, delivery_key
from pipeline.domain.ports import Composer
from pipeline.intake.preflight.ports import IntakePorts
from pipeline.intake.preflight.previews import EXAMPLE_LINK


@dataclass(frozen=True, slots=True)
class SmsEstimate:
    """The SMS that are sent first (fallbacks come on top); `unicode` of them are not in GSM-7."""

    messages: int
    segments: int
    unicode: int
    price: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        """Return the estimated cost; None if the price of a segment is not known."""
        return None if self.price is None else self.segments * self.price

    def as_json(self) -> dict[str, Any]:
        """Return the estimate for `--json`; amounts are decimal strings."""
        return {
            "messages": self.messages,
            "segments": self.segments,
            "not_gsm7": self.unicode,
            "cost": None if self.cost is None else str(self.cost),
        }


class SmsCounter:
    """Counts SMS, recipient by recipient, except texts that cannot be composed."""

    def __init__(self, campaign: Campaign, ports: IntakePorts) -> None:
        self._campaign = campaign
        self._ports = ports
        self._composer = _sms_composer(campaign, ports)
        self._messages = self._segments = self._unicode = 0

    def count(self, recipient: Recipient) -> None:
        if self._composer is None or not self._is_texted(recipient):
            return
        key = delivery_key(self._campaign.id, recipient.id, ChannelName.SMS)
        try:
            message = self._composer.compose(
                recipient, EXAMPLE_LINK, key, sent_at=0, returns=ReturnPaths()
            )
        except PermanentError:
            return
        found = self._ports.sms_segments(message.content.decode())
        self._messages += 1
        self._segments += found.count
        self._unicode += found.encoding == "ucs2"

    def estimate(self) -> SmsEstimate | None:
        """Return what was counted, or None for a campaign without SMS."""
        if self._composer is None:
            return None
        return SmsEstimate(
            self._messages, self._segments, self._unicode, self._ports.segment_price
        )

    def _is_texted(self, recipient: Recipient) -> bool:
        delivery = self._campaign.delivery
        if not recipient.phone:
            return False
        first = next(each for each in delivery.channels if recipient.address(each))
        return delivery.mode == "all" or first is ChannelName.SMS


def _sms_composer(campaign: Campaign, ports: IntakePorts) -> Composer | None:
    if campaign.sms is None or ChannelName.SMS not in campaign.delivery.channels:
        return None
    try:
        return ports.composer(campaign, ChannelName.SMS)
    except InputError:
        return None  # the file's own check tells what is wrong
