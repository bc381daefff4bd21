"""The compact form in which recipients are stored and sent, and the one to compare them by."""

import json
from collections.abc import Sequence

from pydantic_core import to_json

from pipeline.domain.models import ChannelName, Recipient

ERASED_RECIPIENT = Recipient(id="")
"""What replaces an erased recipient: no id, no address, no name."""


def encode_batch(recipients: Sequence[Recipient]) -> bytes:
    """Return *recipients* as JSON: the variables' names once, then one array per recipient."""
    names = sorted({name for recipient in recipients for name in recipient.variables})
    rows = [
        [*_fields(recipient), *(recipient.variables.get(name) for name in names)]
        for recipient in recipients
    ]
    return to_json({"variables": names, "rows": rows})


def decode_batch(data: bytes) -> list[Recipient]:
    """Return what `encode_batch` was given."""
    batch = json.loads(data)
    return [_recipient(batch["variables"], row) for row in batch["rows"]]


def canonical(recipient: Recipient) -> bytes:
    """
    Return one line that is the same for the same content.

    The order of columns does not matter, nor whether an empty variable is there or not.
    """
    variables = sorted([item for item in recipient.variables.items() if item[1]])
    return to_json((*_fields(recipient), variables)) + b"\n"


def channel_mask(recipient: Recipient, channels: Sequence[ChannelName]) -> int:
    """Return a number whose bit i is set if the recipient has an address for channels[i]."""
    mask = 0
    for i, channel in enumerate(channels):
        if recipient.address(channel):
            mask |= 1 << i
    return mask


def _fields(recipient: Recipient) -> tuple[str, ...]:
    return (
        recipient.id,
        recipient.email,
        recipient.phone,
        recipient.name,
        recipient.locale,
        recipient.timezone,
    )


def _recipient(names: Sequence[str], row: Sequence[str]) -> Recipient:
    recipient_id, email, phone, name, locale, timezone, *values = row
    return Recipient(
        id=recipient_id,
        email=email,
        phone=phone,
        name=name,
        locale=locale,
        timezone=timezone,
        variables={
            key: value for key, value in zip(names, values, strict=True) if value is not None
        },
    )
