"""
The records of alerts as they are stored: the field of each, and its value.

A field is `<target>|<subject>|<kind>|<code>`, with a lane by its letter; a record is `<ms when it
was written> <phase> <ms since when> <tries>`. Its time is written by `alert.lua`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from pipeline.domain.batch import Lane
from pipeline.store.codec import LANE_LETTER


class AlertKind(StrEnum):
    """What stops work; the first three are blocked lanes."""

    ORDERING = Lane.ORDER.value
    READING = Lane.READ.value
    SENDING = Lane.SEND.value
    HELD = "held"
    CHANNEL = "channel"


class AlertPhase(StrEnum):
    """Where one alert is, on its way to one target."""

    SEEN = "seen"
    NOTIFYING = "telling"
    NOTIFY_FAILED = "untold"
    NOTIFIED = "told"
    SETTLING = "calming"
    ENDING = "ending"
    END_FAILED = "unended"
    REMOVED = ""


@dataclass(frozen=True, slots=True)
class AlertCause:
    """
    What a person is notified of once, however many batches it stops.

    `subject` is a campaign's serial, or a channel's name; `code` is empty for a channel, which
    fails in changing ways.
    """

    subject: str
    kind: AlertKind
    code: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A cause, and the target that is notified of it."""

    target: str
    cause: AlertCause


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """How far an alert is: since `at_ms` in `phase`; `since_ms` is when it was first seen."""

    phase: AlertPhase
    at_ms: int
    since_ms: int
    tries: int = 0

    def becomes(self, phase: AlertPhase, tries: int = 0) -> Self:
        """Return the record of its next phase; `AlertStore.put` gives it its time."""
        return replace(self, phase=phase, tries=tries)


_KIND_CODE = {
    AlertKind.ORDERING: LANE_LETTER[Lane.ORDER],
    AlertKind.READING: LANE_LETTER[Lane.READ],
    AlertKind.SENDING: LANE_LETTER[Lane.SEND],
    AlertKind.HELD: "held",
    AlertKind.CHANNEL: "channel",
}
_KIND = {code: kind for kind, code in _KIND_CODE.items()}


def encode_alert(alert: Alert) -> str:
    """Return the field of an alert's record, in the hash of all alerts."""
    cause = alert.cause
    return f"{alert.target}|{cause.subject}|{_KIND_CODE[cause.kind]}|{cause.code}"


def decode_alert(field: str) -> Alert:
    """Return what `encode_alert` was given; raises ValueError or KeyError if damaged."""
    target, subject, kind, code = field.split("|", 3)
    return Alert(target, AlertCause(subject, _KIND[kind], code))


def encode_record(record: AlertRecord) -> str:
    return f"{record.at_ms} {encode_next(record)}"


def encode_next(record: AlertRecord) -> str:
    """Return a record as `alert.lua` wants it: without its time, '' to remove the alert."""
    return f"{record.phase} {record.since_ms} {record.tries}" if record.phase else ""


def decode_record(text: str) -> AlertRecord:
    """Return what `encode_record` was given; raises ValueError if damaged."""
    at, phase, since, tries = text.split(" ")
    return AlertRecord(AlertPhase(phase), int(at), int(since), int(tries))
