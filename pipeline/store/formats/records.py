"""The record of a recipient's deliveries; its format is explained in `parse.lua`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.store.codec import CHANNEL, STATUS

_RECORD = re.compile(r"([a-z])([a-z])(\d+)\.(\d+)\.(\d+)\.(-?\d+)\.(-?\d+)\.([^;]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """
    One recipient over one channel, as the ledger has it.

    `started_ms` is when the last attempt was started, in ms after the campaign's epoch; `after_ms`
    from then until it was settled, or until it may be tried again.
    """

    channel: ChannelName
    status: DeliveryStatus = DeliveryStatus.PENDING
    resend_number: int = 1
    attempt: int = 0
    tries: int = 0
    started_ms: int = 0
    after_ms: int = 0
    code: str = ""


def parse_record(text: str) -> tuple[DeliveryRecord, ...]:
    """Read a ledger field; raises ValueError if it is not one."""
    matches = [_RECORD.fullmatch(part) for part in text.split(";")]
    records = tuple(
        DeliveryRecord(
            channel=CHANNEL[match[2]],
            status=STATUS[match[1]],
            resend_number=int(match[3]),
            attempt=int(match[4]),
            tries=int(match[5]),
            started_ms=int(match[6]),
            after_ms=int(match[7]),
            code=match[8],
        )
        for match in matches
        if match is not None
    )
    if len(records) != len(matches):
        msg = f"{text!r} is not a delivery record"
        raise ValueError(msg)
    return records


def reachable(channels: Sequence[ChannelName], plan: str, index: int) -> list[ChannelName]:
    """Return the channels that recipient *index* of a batch has an address for, in order."""
    mask = ord(plan[index]) - ord("0")
    return [channel for bit, channel in enumerate(channels) if mask >> bit & 1]


def initial_records(
    channels: Sequence[ChannelName], mode: str, plan: str, index: int
) -> tuple[DeliveryRecord, ...]:
    """Return what an absent ledger field stands for: nothing tried yet."""
    reached = reachable(channels, plan, index)
    return tuple(
        DeliveryRecord(channel=channel) for channel in (reached if mode == "all" else reached[:1])
    )
