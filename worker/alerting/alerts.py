"""Telling people what is held up, once for the whole fleet, and when that is over."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from pipeline.alerting import messages
from pipeline.alerting.messages import Notice
from pipeline.alerting.rules import Pace, SubjectState, causes, next_phase, standing
from pipeline.domain.errors import DeliveryError
from pipeline.store.fleet.alerts import AlertSources, AlertStore
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
_TURN = 0.9  # of the time between two looks: whoever comes late takes the turn
_LEAVE_SECONDS = 4.0  # Ctrl-C stops within a few seconds
_AT_ONCE = 4
_AFTER = {AlertPhase.TELLING: AlertPhase.TOLD, AlertPhase.ENDING: AlertPhase.FORGOTTEN}
_FAILED = {AlertPhase.TELLING: AlertPhase.UNTOLD, AlertPhase.ENDING: AlertPhase.UNENDED}
_TELLS = frozenset(_AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """One alert that moves on now: as it was read (None if new), and the phase that it enters."""

    alert: Alert
    read: AlertRecord | None
    record: AlertRecord
    phase: AlertPhase


class Alerts:
    """
    Looks at what is held up, and tells it; any number of workers may do so at once.

    Who tells what is decided in Redis, where a claim lapses if its worker dies: everything is
    told at least once, and under the same id whenever it is told again.
    """

    def __init__(
        self, store: AlertStore, notifiers: Sequence[Notifier], pace: Pace | None = None
    ) -> None:
        self._store = store
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._pace = pace or Pace()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def look(self) -> None:
        """Look, unless somebody of the fleet just did; raises one of STORE_ERRORS."""
        if self._notifiers and await self._store.turn(LOOK_SECONDS * _TURN):
            await self.tell()

    async def tell(self, *, leaving: bool = False) -> None:
        """Tell what is due; with *leaving* also what just came up: nobody else may be left."""
        if not self._notifiers:
            return
        sight = await self._store.sight()
        due = list(self._due(sight, leaving=leaving))
        await asyncio.gather(*(self._move(each, sight) for each in due))

    async def leave(self) -> None:
        """Tell what there is to tell, within seconds; the next worker tells the rest."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self.tell(leaving=True)
        except STORE_ERRORS as error:  # a time-out is one of them
            log.warning("alert.not_told", why=type(error).__name__)

    def _due(self, sight: AlertSources, *, leaving: bool) -> Iterator[_Due]:
        present = set(_present(sight))
        alerts = {Alert(name, cause) for cause in present for name in self._notifiers}
        for alert in sorted(alerts | sight.records.keys(), key=encode_alert):
            read = sight.records.get(alert)
            phase = next_phase(
                read,
                present=alert.cause in present,
                subject=self._subject(alert, sight),
                patience=self._pace.patience_with(alert.cause, leaving=leaving),
                pace=self._pace,
                now_ms=sight.now_ms,
            )
            if phase is not None:
                record = read or AlertRecord(phase, sight.now_ms, sight.now_ms)
                yield _Due(alert=alert, read=read, record=record, phase=phase)

    def _subject(self, alert: Alert, sight: AlertSources) -> SubjectState:
        found = _standing(alert.cause, sight)
        if alert.target in self._notifiers:
            return found
        # Another worker may have other settings, so it is left alone until the campaign ends.
        ended = found in {SubjectState.FINISHED, SubjectState.GONE}
        return SubjectState.GONE if ended else SubjectState.PAUSED

    async def _move(self, due: _Due, sight: AlertSources) -> None:
        """Let one alert enter its next phase; tell it if nobody else claimed it first."""
        async with self._slots:
            claimed = await self._store.put(
                due.alert, due.read, due.record.becomes(due.phase, due.record.tries)
            )
            if not claimed or due.phase not in _TELLS:
                return
            told = await self._deliver(due, _notice(due, sight))
            after = (
                due.record.becomes(_AFTER[due.phase])
                if told
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
            await self._notifiers[target].tell(notice)
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
    """Make what tells the targets of the settings; raises InputError if one cannot be used."""
    async with open_notifiers(app.settings) as notifiers:
        yield Alerts(app.alerts, notifiers)


def _present(sight: AlertSources) -> Iterator[AlertCause]:
    for snapshot in sight.snapshots.values():
        yield from causes(snapshot)
    for channel, breaker in sight.breakers.items():
        # It keeps its time until a message goes through: between two silences it is not over.
        if breaker.until_ms:
            yield AlertCause(channel, AlertKind.CHANNEL, "")


def _standing(cause: AlertCause, sight: AlertSources) -> SubjectState:
    if cause.kind is AlertKind.CHANNEL:
        return SubjectState.OPEN
    return standing(sight.snapshots[cause.subject])


def _notice(due: _Due, sight: AlertSources) -> Notice:
    cause, over, since = due.alert.cause, due.phase is AlertPhase.ENDING, due.record.since_ms
    if cause.kind is AlertKind.CHANNEL:
        breaker = sight.breakers[cause.subject]
        return messages.of_channel(cause, breaker, since_ms=since, now_ms=sight.now_ms, over=over)
    snapshot = sight.snapshots[cause.subject]
    return messages.of_campaign(cause, snapshot, since_ms=since, now_ms=sight.now_ms, over=over)
