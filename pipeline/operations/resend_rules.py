"""Decides whether one person may be sent the same link again, and over which channel; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.domain.clock import iso
from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName, DeliveryStatus, Recipient
from pipeline.domain.resend_history import LAST_RESEND_NUMBER, Resend, ResendHistory, address_of
from pipeline.store.formats.records import DeliveryRecord
from pipeline.views.batch_view import DeliveryRecords
from pipeline.views.delivery_times import started_at
from pipeline.views.timeline import mask_address

COOLDOWN_MS = 30_000
"""A delivery that started less than this ago is not resent; Tango's resend has the same time."""

BY = {ChannelName.EMAIL: "e-mail", ChannelName.SMS: "SMS", ChannelName.WEBHOOK: "webhook"}

_PENDING, _SENDING = DeliveryStatus.PENDING, DeliveryStatus.SENDING
_MAY_HAVE_ARRIVED = frozenset(
    {DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.UNCERTAIN}
)
_UNKNOWN_END = "superseded"  # see resend.lua


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendRequest:
    """
    The channel and checked address that an operator asks for; empty for those on record.

    `elsewhere` confirms that the link may go to an address other than the one it went to.
    """

    channel: ChannelName | None = None
    address: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendCandidate:
    """What the ledger holds of one recipient of a campaign, at one moment."""

    recipient: Recipient
    records: DeliveryRecords
    earlier: DeliveryRecords
    resends: ResendHistory
    channels: Sequence[ChannelName]
    mode: str
    linked: bool
    epoch_ms: int
    now_ms: int

    def address(self, record: DeliveryRecord) -> str:
        """Return the address that *record* went, or will go, to."""
        return address_of(self.recipient, self.resends, record.channel, record.resend_number)

    def address_over(self, channel: ChannelName) -> str:
        """Return where a message over *channel* would go; empty if there is no such address."""
        return address_of(self.recipient, self.resends, channel, LAST_RESEND_NUMBER)

    def over(self, channel: ChannelName) -> DeliveryRecord | None:
        """Return the delivery over *channel*, or None."""
        return next((record for record in self.records if record.channel is channel), None)

    def concerned(self, channel: ChannelName) -> Iterator[DeliveryRecord]:
        """Yield the deliveries that a message over *channel* must not overtake."""
        for record in self.records:
            if self.mode == "first" or record.channel is channel:
                yield record


def decide_resend(candidate: ResendCandidate, request: ResendRequest) -> Resend:
    """
    Return the resend to make; raises InputError with a sentence that says why there is none.

    A delivery that waits may be given another address, or be replaced by one over another channel.
    A message on the wire is not touched.
    """
    channel = _channel(candidate, request)
    before = candidate.over(channel)
    now = candidate.address_over(channel)
    address = request.address or now
    number = before.resend_number + 1 if before else 1
    _refuse_early(candidate, channel, corrected=address != now or before is None)
    _refuse_soon(candidate)
    if not request.elsewhere:
        _refuse_elsewhere(candidate, channel, address)
    if number > LAST_RESEND_NUMBER:
        msg = f"This person was resent {number - 2} times over {BY[channel]}, which is the most."
        raise InputError(msg)
    return Resend(channel=channel, number=number, address=address, at_ms=candidate.now_ms)


def _channel(candidate: ResendCandidate, request: ResendRequest) -> ChannelName:
    """Return the channel asked for, else the open one, the last one tried, or the last one."""
    if request.channel is not None:
        if request.channel not in candidate.channels:
            used = " and ".join(BY[channel] for channel in candidate.channels)
            msg = f"This campaign does not use {BY[request.channel]}, only {used}."
            raise InputError(msg)
        return request.channel
    still_open = [record for record in candidate.records if record.status in {_PENDING, _SENDING}]
    if still_open and candidate.mode == "first":
        return still_open[0].channel
    tried = [record for record in candidate.records if record.attempt]
    if tried:
        return max(tried, key=lambda record: record.started_ms).channel
    settled = [r for r in candidate.records if r.status is not DeliveryStatus.SKIPPED]
    return (settled or candidate.records)[-1].channel


def _refuse_early(candidate: ResendCandidate, channel: ChannelName, *, corrected: bool) -> None:
    """Raise InputError while there is no message that could be resent."""
    concerned = list(candidate.concerned(channel))
    if any(record.status is _SENDING for record in concerned):
        msg = "The message is on its way at this moment; there is nothing to resend yet."
        raise InputError(msg)
    waits = any(r.status is _PENDING and r.channel is channel for r in concerned)
    if corrected or (candidate.linked and not waits):
        return
    why = "is waiting to be sent" if candidate.linked else "has no link yet"
    msg = (
        f"This person {why}; there is nothing to resend yet. Another address, given with --email "
        "or --phone, is used from now on."
    )
    raise InputError(msg)


def _refuse_soon(candidate: ResendCandidate) -> None:
    started = [r.started_ms for r in (*candidate.records, *candidate.earlier) if r.attempt]
    ago = candidate.now_ms - candidate.epoch_ms - max(started, default=-COOLDOWN_MS)
    if started and ago < COOLDOWN_MS:
        wait = -(-(COOLDOWN_MS - ago) // 1000)
        msg = f"The last message was started {max(ago, 0) // 1000} s ago; wait {wait} s more."
        raise InputError(msg)


def _refuse_elsewhere(candidate: ResendCandidate, channel: ChannelName, address: str) -> None:
    """Raise InputError if the link may have arrived, but never went to this address."""
    arrived = [r for r in (*candidate.records, *candidate.earlier) if _may_have_arrived(r)]
    if not arrived or any(
        (r.channel, candidate.address(r)) == (channel, address) for r in arrived
    ):
        return
    last = max(arrived, key=lambda record: record.started_ms)
    word = "uncertain" if last.status is DeliveryStatus.SKIPPED else last.status.value
    msg = (
        f"The link was sent by {BY[last.channel]} to {mask_address(candidate.address(last))} at "
        f"{iso(started_at(last, candidate.epoch_ms))} ({word}), and whoever has it can spend it; "
        "to send it to another address too, add --yes."
    )
    raise InputError(msg)


def _may_have_arrived(record: DeliveryRecord) -> bool:
    return record.status in _MAY_HAVE_ARRIVED or record.code == _UNKNOWN_END
