"""
The resends of one recipient: which generation of a message went to which address.

They rest beside the rows, which stay as they were submitted: a repeated submit of the same files
finds the same content, and what a late bounce says of an address is said of the right one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.models import ChannelName, Recipient
from pipeline.store.records import CHANNEL, LETTER

LAST_GENERATION = 255
"""A token holds the generation in one byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The link once more over one channel; `at_ms` is when it was asked for, since the epoch."""

    channel: ChannelName
    number: int
    address: str
    at_ms: int


Generations = tuple[Generation, ...]
"""All resends of one recipient, oldest first; the first message of a channel is not among them."""


def encode_generations(generations: Sequence[Generation]) -> bytes:
    rows = [[LETTER[g.channel], g.number, g.address, g.at_ms] for g in generations]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def decode_generations(data: bytes) -> Generations:
    """Return what `encode_generations` was given; ValueError, KeyError or TypeError if damaged."""
    return tuple(
        Generation(channel=CHANNEL[letter], number=int(number), address=address, at_ms=int(at))
        for letter, number, address, at in json.loads(data)
    )


def address_of(
    recipient: Recipient, generations: Generations, channel: ChannelName, number: int
) -> str:
    """Return where generation *number* over *channel* goes; `recipient` is as it was submitted."""
    addresses = [g.address for g in generations if g.channel is channel and g.number <= number]
    return addresses[-1] if addresses else recipient.address(channel)


def readdressed(recipient: Recipient, generations: Generations) -> Recipient:
    """Return the recipient with the address that each channel uses by now."""
    if not generations:
        return recipient
    email, phone = (
        address_of(recipient, generations, channel, LAST_GENERATION)
        for channel in (ChannelName.EMAIL, ChannelName.SMS)
    )
    return replace(recipient, email=email, phone=phone)
