"""Quiet hours of one batch: which deliveries may be sent now, until when, and which wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.domain.campaign import Window
from pipeline.domain.models import ChannelName, FactKind, Recipient
from pipeline.domain.window import closing_time, next_opening, zone_of
from pipeline.store.deliveries import Fact
from pipeline.store.formats.records import DeliveryRecord

DueRecords = Sequence[tuple[int, DeliveryRecord]]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """
    The deliveries that may be sent now, and those that wait.

    `closes` is when the windows of those in `now` close (seconds since the epoch). `waits` are the
    facts that defer the others until their windows open.
    """

    now: list[tuple[int, DeliveryRecord]]
    closes: Mapping[int, float]
    waits: list[Fact]


def sort_by_window(
    window: Window | None,
    channel: ChannelName,
    wanted: DueRecords,
    recipients: Sequence[Recipient],
    moment: float,
) -> QuietHours:
    """Sort *wanted* by the window at *moment* (seconds since the epoch); pure."""
    if window is None:
        return QuietHours(list(wanted), {}, [])
    now = datetime.fromtimestamp(moment, UTC)
    sorted_records = QuietHours([], closes := {}, [])
    openings: dict[str, datetime | None] = {}
    for index, record in wanted:
        recipient = recipients[index]
        name = recipient.timezone
        if name not in openings:
            openings[name] = next_opening(window, zone_of(window, recipient), now)
        opens_at = openings[name]
        if opens_at is None:
            sorted_records.now.append((index, record))
            closes[index] = closing_time(window, zone_of(window, recipient), now).timestamp()
        else:
            delay = opens_at.timestamp() - moment
            sorted_records.waits.append(
                Fact(
                    index,
                    channel,
                    record.attempt,
                    FactKind.WAITING,
                    "window",
                    delay,
                    resend_number=record.resend_number,
                )
            )
    return sorted_records
