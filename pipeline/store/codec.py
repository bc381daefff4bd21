"""
The letters that the ledger stores instead of words, here and in the Lua verbs only.

Everybody else speaks of `Lane`, `ChannelName`, `DeliveryStatus` and `FactKind`. The letters are
stored, so none of them may ever change its meaning.
"""

from collections.abc import Mapping
from typing import Final

from pipeline.domain.batch import Lane, Unit, WaitCounter
from pipeline.domain.models import ChannelName, DeliveryStatus, FactKind

LANE_LETTER: Final[Mapping[Lane, str]] = {
    Lane.ORDER: "o",
    Lane.READ: "r",
    Lane.SEND: "s",
    Lane.HELD: "h",
}
LANE: Final[Mapping[str, Lane]] = {letter: lane for lane, letter in LANE_LETTER.items()}

CHANNEL_LETTER: Final[Mapping[ChannelName, str]] = {
    ChannelName.EMAIL: "e",
    ChannelName.SMS: "s",
    ChannelName.WEBHOOK: "w",
}
CHANNEL: Final[Mapping[str, ChannelName]] = {
    letter: channel for channel, letter in CHANNEL_LETTER.items()
}

STATUS: Final[Mapping[str, DeliveryStatus]] = {
    "p": DeliveryStatus.PENDING,
    "i": DeliveryStatus.SENDING,  # in flight
    "u": DeliveryStatus.UNCERTAIN,
    "s": DeliveryStatus.SENT,
    "d": DeliveryStatus.DELIVERED,
    "b": DeliveryStatus.BOUNCED,
    "f": DeliveryStatus.FAILED,
    "x": DeliveryStatus.SUPPRESSED,
    "k": DeliveryStatus.SKIPPED,
}

FACT_LETTER: Final[Mapping[FactKind, str]] = {
    FactKind.SENT: "s",
    FactKind.DELIVERED: "d",
    FactKind.BOUNCED: "b",
    FactKind.FAILED: "f",
    FactKind.FAILED_OUTRIGHT: "o",
    FactKind.SUPPRESSED: "x",
    FactKind.UNCERTAIN: "u",
    FactKind.DEFERRED: "p",
    FactKind.RELEASED: "r",
    FactKind.LOOKED_FOR: "l",
    FactKind.NOT_FOUND: "n",
    FactKind.WAITING: "w",
}

COUNTER_FIELD: Final[Mapping[WaitCounter | None, str]] = {
    WaitCounter.POLLS: "polls",
    WaitCounter.FAILS: "fails",
    WaitCounter.ODD: "odd",
    None: "",
}
"""The field of a batch that counts; its name with `:at` is the time of the first count."""


def encode_unit(unit: Unit) -> tuple[str, int, str, int]:
    """Return a unit as it stands in a job: serial, batch, lane, dispatch number."""
    return unit.serial, unit.batch, LANE_LETTER[unit.lane], unit.dispatch_number


def decode_unit(item: object) -> Unit | None:
    """Return what `encode_unit` was given; None if *item* is something else."""
    match item:
        case [str(serial), int(batch), str(letter), int(dispatch_number)] if letter in LANE:
            return Unit(serial, batch, LANE[letter], dispatch_number)
    return None
