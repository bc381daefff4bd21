"""
The resends of one recipient: which resend number of a message went to which address.

They are stored beside the rows, which stay as they were submitted: a repeated submit of the same
files finds the same content, and a late bounce is about the address that it names.
"""

from dataclasses import dataclass, replace

from pipeline.domain.models import ChannelName, Recipient

LAST_RESEND_NUMBER = 255
"""A signed token has one byte for the resend number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resend:
    """The link once more over one channel; `at_ms` is when it was asked for, since the epoch."""

    channel: ChannelName
    number: int
    address: str
    at_ms: int


ResendHistory = tuple[Resend, ...]
"""All resends of one recipient, oldest first; the first message of a channel is not among them."""


def address_of(
    recipient: Recipient, resends: ResendHistory, channel: ChannelName, number: int
) -> str:
    """Return where resend *number* over *channel* goes; *recipient* is as it was submitted."""
    addresses = [
        each.address for each in resends if each.channel is channel and each.number <= number
    ]
    return addresses[-1] if addresses else recipient.address(channel)


def at_current_addresses(recipient: Recipient, resends: ResendHistory) -> Recipient:
    """Return the recipient with the address that each channel uses by now."""
    if not resends:
        return recipient
    email, phone = (
        address_of(recipient, resends, channel, LAST_RESEND_NUMBER)
        for channel in (ChannelName.EMAIL, ChannelName.SMS)
    )
    return replace(recipient, email=email, phone=phone)
