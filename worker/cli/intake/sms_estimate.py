"""What the SMS of a campaign come to: messages, segments, and about how much money."""

from dataclasses import dataclass
from decimal import Decimal

from channels.sms import SmsComposer, segments
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import ChannelName, Recipient, ReturnPaths, delivery_key
from worker.cli.intake.preview import EXAMPLE_LINK


@dataclass(frozen=True, slots=True)
class TextingEstimate:
    """SMS that go out at first (fallbacks come on top); `unicode` of them are not in GSM-7."""

    messages: int
    segments: int
    unicode: int
    price: Decimal | None

    def __str__(self) -> str:
        text = f"{self.messages:,} SMS of {self.segments:,} segments in all"
        if self.unicode:
            text += f", {self.unicode:,} not in GSM-7 and therefore longer"
        if self.price is not None:
            text += f"; about {self.segments * self.price:,.2f} at {self.price} per segment"
        return f"{text} (with a link of {len(EXAMPLE_LINK)} characters)"


class Texting:
    """Counts recipient by recipient; whose text cannot be composed is left to sending."""

    def __init__(self, campaign: Campaign, price: Decimal | None) -> None:
        self._campaign = campaign
        self._price = price
        self._composer: SmsComposer | None = None
        if campaign.sms is not None and ChannelName.SMS in campaign.delivery.channels:
            try:
                self._composer = SmsComposer(campaign.sms)
            except InputError:
                self._composer = None  # the file's own check tells what is wrong
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
        found = segments(message.content.decode())
        self._messages += 1
        self._segments += found.count
        self._unicode += found.encoding == "ucs2"

    def estimate(self) -> TextingEstimate | None:
        """Return what was counted, or None for a campaign without SMS."""
        if self._composer is None:
            return None
        return TextingEstimate(self._messages, self._segments, self._unicode, self._price)

    def _is_texted(self, recipient: Recipient) -> bool:
        delivery = self._campaign.delivery
        if not recipient.phone:
            return False
        first = next(each for each in delivery.channels if recipient.address(each))
        return delivery.mode == "all" or first is ChannelName.SMS
