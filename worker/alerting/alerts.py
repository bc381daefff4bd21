"""Notifies people of what is held up, once for the whole fleet, and when that is over."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from pipeline.alerting import messages
from pipeline.alerting.messages import Notice
from pipeline.alerting.rules import Pace, SubjectState, causes, next_phase, subject_state
from pipeline.domain.errors import DeliveryError
from pipeline.store.fleet.alerts import AlertInputs, AlertStore
from pipeline.store.formats.alert_records import (
    Alert,
    AlertCause,
    AlertKind,
    AlertPhase,
    AlertRecord,
    encode_alert,
)
from pipeline.store.outages import STORE_ERRORS
from worker.alerting.notifiers import Notifier, open_notifiers
from worker.wiring.ledger import App

log = structlog.get_logger()

LOOK_SECONDS = 10.0
_LOOK_SHARE = 0.9  # of the time between two looks: a worker that comes late takes over
_LEAVE_SECONDS = 4.0  # Ctrl-C stops within a few seconds
_AT_ONCE = 4
_AFTER = {AlertPhase.NOTIFYING: AlertPhase.NOTIFIED, AlertPhase.ENDING: AlertPhase.REMOVED}
_FAILED = {
    AlertPhase.NOTIFYING: AlertPhase.NOTIFY_FAILED,
    AlertPhase.ENDING: AlertPhase.END_FAILED,
}
_NOTIFYING = frozenset(_AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """One alert that moves on now: as it was read (None if new), and the phase that it enters."""

    alert: Alert
    read: AlertRecord | None
    record: AlertRecord
    phase: AlertPhase


class Alerts:
    """
    Looks at what is held up, and notifies; any number of workers may do so at once.

    Which worker sends which notice is decided in Redis, where a claim lapses if its worker dies:
    every notice is sent at least once, and under the same id whenever it is sent again.
    """

    def __init__(
        self, store: AlertStore, notifiers: Sequence[Notifier], pace: Pace | None = None
    ) -> None:
        self._store = store
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._pace = pace or Pace()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def look(self) -> None:
        """Look, unless another worker just did; raises one of STORE_ERRORS."""
        if self._notifiers and await self._store.acquire_turn(LOOK_SECONDS * _LOOK_SHARE):
            await self.notify()

    async def notify(self, *, leaving: bool = False) -> None:
        """Send what is due; with *leaving* also what just came up: no other worker may be left."""
        if not self._notifiers:
            return
        inputs = await self._store.inputs()
        due = list(self._due(inputs, leaving=leaving))
        await asyncio.gather(*(self._move(each, inputs) for each in due))

    async def leave(self) -> None:
        """Send what there is to send, within seconds; the next worker sends the rest."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self.notify(leaving=True)
        except STORE_ERRORS as error:  # a time-out is one of them
            log.warning("alert.not_told", why=type(error).__name__)

    def _due(self, inputs: AlertInputs, *, leaving: bool) -> Iterator[_Due]:
        present = set(_present(inputs))
        alerts = {Alert(name, cause) for cause in present for name in self._notifiers}
        for alert in sorted(alerts | inputs.records.keys(), key=encode_alert):
            read = inputs.records.get(alert)
            phase = next_phase(
                read,
                present=alert.cause in present,
                subject=self._subject(alert, inputs),
                patience=self._pace.patience_with(alert.cause, leaving=leaving),
                pace=self._pace,
                now_ms=inputs.now_ms,
            )
            if phase is not None:
                record = read or AlertRecord(phase, inputs.now_ms, inputs.now_ms)
                yield _Due(alert=alert, read=read, record=record, phase=phase)

    def _subject(self, alert: Alert, inputs: AlertInputs) -> SubjectState:
        found = _subject_state(alert.cause, inputs)
        if alert.target in self._notifiers:
            return found
        # Another worker may have other settings, so it is left alone until the campaign ends.
        ended = found in {SubjectState.FINISHED, SubjectState.WITHDRAWN}
        return SubjectState.WITHDRAWN if ended else SubjectState.PAUSED

    async def _move(self, due: _Due, inputs: AlertInputs) -> None:
        """Let one alert enter its next phase; send it unless another worker claimed it first."""
        async with self._slots:
            claimed = await self._store.put(
                due.alert, due.read, due.record.becomes(due.phase, due.record.tries)
            )
            if not claimed or due.phase not in _NOTIFYING:
                return
            notified = await self._deliver(due, _notice(due, inputs))
            after = (
                due.record.becomes(_AFTER[due.phase])
                if notified
                else due.record.becomes(_FAILED[due.phase], due.record.tries + 1)
            )
            await self._store.put(due.alert, claimed, after)

    async def _deliver(self, due: _Due, notice: Notice) -> bool:
        target = due.alert.target
        names = {
            "about": notice.document["data"]["campaign"] or due.alert.cause.subject,
            "code": notice.document["data"]["code"],
            "over": due.phase is AlertPhase.ENDING,
            "by": target,
        }
        try:
            await self._notifiers[target].notify(notice)
        except DeliveryError as error:
            log.warning("alert.not_told", **names, why=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - a defect here must not stop the worker
            log.error("alert.not_told", **names, why=type(error).__name__)  # noqa: TRY400 - no text
            return False
        log.info("alert.told", **names)
        return True


@asynccontextmanager
async def open_alerts(app: App) -> AsyncIterator[Alerts]:
    """Make what notifies the targets of the settings; raises InputError if one cannot be used."""
    async with open_notifiers(app.settings) as notifiers:
        yield Alerts(app.alerts, notifiers)


def _present(inputs: AlertInputs) -> Iterator[AlertCause]:
    for snapshot in inputs.snapshots.values():
        yield from causes(snapshot)
    for channel, breaker in inputs.breakers.items():
        # A breaker keeps its time until a message goes through: between two rests it is not over.
        if breaker.until_ms:
            yield AlertCause(channel, AlertKind.CHANNEL, "")


def _subject_state(cause: AlertCause, inputs: AlertInputs) -> SubjectState:
    if cause.kind is AlertKind.CHANNEL:
        return SubjectState.OPEN
    return subject_state(inputs.snapshots[cause.subject])


def _notice(due: _Due, inputs: AlertInputs) -> Notice:
    cause, over, since = (
        due.alert.cause,
        due.phase is AlertPhase.ENDING,
        due.record.since_ms,
    )
    if cause.kind is AlertKind.CHANNEL:
        breaker = inputs.breakers[cause.subject]
        return messages.channel_notice(
            cause, breaker, since_ms=since, now_ms=inputs.now_ms, over=over
        )
    snapshot = inputs.snapshots[cause.subject]
    return messages.campaign_notice(
        cause, snapshot, since_ms=since, now_ms=inputs.now_ms, over=over
    )
