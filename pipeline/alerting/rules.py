"""
The rules of alerts: when a target is notified of a cause, and of its end. Pure.

```
 seen ──still there──▶ telling ──delivered──▶ told ──no longer there──▶ calming ──stays so──▶
  │                     │  ▲                   ▲                          │
  └─no longer there:    ▼  │                   └────────there again───────┘
    removed            untold, again later
 ──▶ ending ──delivered──▶ removed
      │  ▲
      ▼  │
     unended, again later
```

The drawing has the stored words of the phases. `telling` and `ending` are claims: a worker that
has not confirmed within a minute counts as dead, and the next worker notifies again. Every target
has a record of its own for each cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.store.formats.alert_records import AlertCause, AlertKind, AlertPhase, AlertRecord
from pipeline.store.formats.snapshot import CampaignSnapshot

_TRIES_THAT_COUNT = 20  # beyond any cap, and no overflow

# The phase in which a target is notified again, for each phase of a delivery.
_DELIVERING = {
    AlertPhase.NOTIFYING: AlertPhase.NOTIFYING,
    AlertPhase.NOTIFY_FAILED: AlertPhase.NOTIFYING,
    AlertPhase.ENDING: AlertPhase.ENDING,
    AlertPhase.END_FAILED: AlertPhase.ENDING,
}


class SubjectState(StrEnum):
    """The state of what an alert is about; alerts of a paused campaign do not change."""

    OPEN = "open"
    PAUSED = "paused"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"  # cancelled or purged


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    The times of alerts, in seconds.

    A cause is notified when it has lasted for `patience` (a channel: `channel_patience`), so that
    one held batch is not notified a second before 500 others. Its end is notified when the cause
    was absent for `settle`, so that an account that is empty again after each order is notified
    once. `claim` is above the longest delivery. A failed delivery is tried again after `first`,
    doubling up to `cap`.
    """

    patience: float = 15.0
    channel_patience: float = 300.0
    settle: float = 60.0
    claim: float = 60.0
    first: float = 10.0
    cap: float = 900.0

    def again(self, tries: int) -> float:
        """Return seconds until a delivery that failed *tries* times is tried again."""
        return min(self.first * 2.0 ** min(max(tries, 1) - 1, _TRIES_THAT_COUNT), self.cap)

    def patience_with(self, cause: AlertCause, *, leaving: bool = False) -> float:
        """Return how long *cause* must have lasted; *leaving* workers only wait for channels."""
        if cause.kind is AlertKind.CHANNEL:
            return self.channel_patience
        return 0.0 if leaving else self.patience


def subject_state(snapshot: CampaignSnapshot) -> SubjectState:
    """Return the state of a campaign; a cancelled or purged one is withdrawn."""
    if not snapshot.exists or snapshot.cancelled:
        return SubjectState.WITHDRAWN
    if snapshot.ended:
        return SubjectState.FINISHED
    return SubjectState.PAUSED if snapshot.paused else SubjectState.OPEN


def causes(snapshot: CampaignSnapshot) -> Iterator[AlertCause]:
    """Yield what holds a campaign up: its blocked lanes, and the reasons of its held batches."""
    if subject_state(snapshot) in {SubjectState.WITHDRAWN, SubjectState.FINISHED}:
        return
    for lane, block in snapshot.blocked.items():
        yield AlertCause(snapshot.serial, AlertKind(lane), block.reason)
    for code in snapshot.held_reasons():
        yield AlertCause(snapshot.serial, AlertKind.HELD, code)


def next_phase(
    record: AlertRecord | None,
    *,
    present: bool,
    subject: SubjectState,
    patience: float,
    pace: Pace,
    now_ms: int,
) -> AlertPhase | None:
    """
    Return the phase that an alert enters now; None if it stays in its phase.

    `present` says whether its cause is there. An alert that enters NOTIFYING or ENDING is sent.
    """
    if subject is SubjectState.PAUSED:
        return None
    if record is None:
        if not present or subject is SubjectState.WITHDRAWN:
            return None
        return AlertPhase.SEEN if patience else AlertPhase.NOTIFYING
    if subject is SubjectState.WITHDRAWN:
        return AlertPhase.REMOVED
    waited = (now_ms - record.at_ms) / 1000
    if record.phase in _DELIVERING:
        return _phase_of_retry(record, waited, pace)
    finished = subject is SubjectState.FINISHED
    return _phase_by_cause(
        record.phase, waited, patience, pace, present=present, finished=finished
    )


def _phase_of_retry(record: AlertRecord, waited: float, pace: Pace) -> AlertPhase | None:
    """Repeat an unconfirmed or failed delivery when it is time."""
    claimed = record.phase in {AlertPhase.NOTIFYING, AlertPhase.ENDING}
    if waited < (pace.claim if claimed else pace.again(record.tries)):
        return None
    return _DELIVERING[record.phase]


def _phase_by_cause(
    phase: AlertPhase, waited: float, patience: float, pace: Pace, *, present: bool, finished: bool
) -> AlertPhase | None:
    match phase:
        case AlertPhase.SEEN if not present:
            return AlertPhase.REMOVED
        case AlertPhase.SEEN if waited >= patience:
            return AlertPhase.NOTIFYING
        case AlertPhase.NOTIFIED if not present:
            return AlertPhase.ENDING if finished else AlertPhase.SETTLING
        case AlertPhase.SETTLING if present:
            return AlertPhase.NOTIFIED
        case AlertPhase.SETTLING if finished or waited >= pace.settle:
            return AlertPhase.ENDING
        case _:
            return None
