"""Targets are notified of a cause and of its end, in the right order, whatever happens."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerting.rules import Pace, SubjectState, causes, next_phase, subject_state
from pipeline.store.formats.alert_records import AlertCause, AlertKind, AlertPhase, AlertRecord
from pipeline.store.formats.snapshot import CampaignSnapshot

PACE = Pace()
LOOK = 10  # seconds between two looks
OPEN, PAUSED, FINISHED, WITHDRAWN = SubjectState


def snapshot(**fields: str) -> CampaignSnapshot:
    named = {name.replace("__", ":"): value for name, value in fields.items()}
    return CampaignSnapshot("7", {"id": "c", "n": "3"} | named, 1_000_000)


def a_record(phase: AlertPhase, seconds_ago: float = 0, tries: int = 0) -> AlertRecord:
    return AlertRecord(phase, 1_000_000 - round(seconds_ago * 1000), 900_000, tries)


def after(
    record: AlertRecord | None,
    *,
    present: bool,
    subject: SubjectState = OPEN,
    patience: float = PACE.patience,
) -> AlertPhase | None:
    return next_phase(
        record, present=present, subject=subject, patience=patience, pace=PACE, now_ms=1_000_000
    )


class World:
    """One alert, looked at every ten seconds by workers that may die and receivers that fail."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.record: AlertRecord | None = None
        self.notified: list[tuple[int, AlertPhase]] = []

    def look(self, *, present: bool, outcome: str, subject: SubjectState = OPEN) -> None:
        phase = next_phase(
            self.record,
            present=present,
            subject=subject,
            patience=PACE.patience,
            pace=PACE,
            now_ms=self.now_ms,
        )
        if phase is not None:
            self._enter(phase, outcome)
        self.now_ms += LOOK * 1000

    def _enter(self, phase: AlertPhase, outcome: str) -> None:
        known = self.record or AlertRecord(phase, self.now_ms, self.now_ms)
        if phase in {AlertPhase.NOTIFYING, AlertPhase.ENDING} and outcome != "dies":
            raised = phase is AlertPhase.NOTIFYING
            if outcome == "works":
                self.notified.append((self.now_ms, phase))
                phase = AlertPhase.NOTIFIED if raised else AlertPhase.REMOVED
            else:
                phase = AlertPhase.NOTIFY_FAILED if raised else AlertPhase.END_FAILED
        following = replace(known.becomes(phase, known.tries + 1), at_ms=self.now_ms)
        self.record = following if phase else None

    def alternates(self) -> bool:
        phases = [phase for _, phase in self.notified]
        return phases == [AlertPhase.NOTIFYING, AlertPhase.ENDING] * (len(phases) // 2) + (
            [AlertPhase.NOTIFYING] * (len(phases) % 2)
        )


LOOKS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["works", "fails", "dies"])), max_size=60
)


@given(LOOKS)
def test_targets_are_notified_of_beginnings_and_ends_alternately(
    looks: list[tuple[bool, str]],
) -> None:
    world = World()
    for present, outcome in looks:
        world.look(present=present, outcome=outcome)
    assert world.alternates()


@given(LOOKS, st.booleans())
def test_targets_know_the_current_state_in_the_end(
    looks: list[tuple[bool, str]],
    present: bool,  # noqa: FBT001 - hypothesis passes it so
) -> None:
    world = World()
    for each, outcome in looks:
        world.look(present=each, outcome=outcome)
    for _ in range(round(PACE.cap * 2 / LOOK)):
        world.look(present=present, outcome="works")
    assert world.alternates()
    assert (world.record is not None and world.record.phase is AlertPhase.NOTIFIED) == present
    assert bool(len(world.notified) % 2) == present


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_cause_that_comes_and_goes_within_a_minute_is_notified_once(gone: list[bool]) -> None:
    world = World()
    for _ in range(3):
        world.look(present=True, outcome="works")
    for each in gone:
        world.look(present=not each, outcome="works")
        world.look(present=True, outcome="works")
    assert [phase for _, phase in world.notified] == [AlertPhase.NOTIFYING]


def test_a_cause_that_stays_is_notified_within_a_minute() -> None:
    world = World()
    for _ in range(6):
        world.look(present=True, outcome="works")
    [(when, _)] = world.notified
    assert PACE.patience * 1000 <= when <= 40_000


def test_a_cause_that_ends_before_a_notification_is_removed() -> None:
    assert after(a_record(AlertPhase.SEEN, 14), present=True) is None
    assert after(a_record(AlertPhase.SEEN, 15), present=True) is AlertPhase.NOTIFYING
    assert after(a_record(AlertPhase.SEEN, 15), present=False) is AlertPhase.REMOVED


def test_a_claim_that_nobody_confirms_lapses_after_a_minute() -> None:
    for phase in (AlertPhase.NOTIFYING, AlertPhase.ENDING):
        assert after(a_record(phase, 59), present=True) is None
        assert after(a_record(phase, 60), present=False) is phase


def test_a_failed_delivery_is_tried_again_after_growing_delays() -> None:
    assert [PACE.again(tries) for tries in (1, 2, 3)] == [10, 20, 40]
    assert PACE.again(10_000) == PACE.cap
    assert after(a_record(AlertPhase.NOTIFY_FAILED, 39, tries=3), present=False) is None
    assert (
        after(a_record(AlertPhase.NOTIFY_FAILED, 40, tries=3), present=False)
        is AlertPhase.NOTIFYING
    )
    assert after(a_record(AlertPhase.END_FAILED, 40, tries=3), present=True) is AlertPhase.ENDING


def test_the_end_of_a_finished_campaign_waits_for_nothing() -> None:
    assert after(a_record(AlertPhase.NOTIFIED), present=False) is AlertPhase.SETTLING
    assert (
        after(a_record(AlertPhase.NOTIFIED), present=False, subject=FINISHED) is AlertPhase.ENDING
    )
    assert (
        after(a_record(AlertPhase.SETTLING), present=False, subject=FINISHED) is AlertPhase.ENDING
    )


@pytest.mark.parametrize("phase", [phase for phase in AlertPhase if phase])
def test_alerts_of_a_paused_campaign_stay_and_of_a_cancelled_one_are_removed(
    phase: AlertPhase,
) -> None:
    old = a_record(phase, 10_000)
    for present in (True, False):
        assert after(old, present=present, subject=PAUSED) is None
        assert after(None, present=present, subject=PAUSED) is None
        assert after(old, present=present, subject=WITHDRAWN) is AlertPhase.REMOVED
        assert after(None, present=present, subject=WITHDRAWN) is None


def test_a_worker_that_leaves_notifies_at_once_except_of_channels() -> None:
    assert after(None, present=True, patience=0) is AlertPhase.NOTIFYING
    blocked, failing = (
        AlertCause("7", AlertKind.ORDERING, "credentials"),
        AlertCause("email", AlertKind.CHANNEL, ""),
    )
    assert PACE.patience_with(blocked, leaving=True) == 0
    assert PACE.patience_with(failing, leaving=True) == PACE.channel_patience


def test_each_blocked_lane_and_each_reason_of_held_batches_is_a_cause() -> None:
    found = snapshot(
        blk__o="insufficient_funds", blk__s="credentials", h__order_failed="500", h__uncertain="0"
    )
    assert set(causes(found)) == {
        AlertCause("7", AlertKind.ORDERING, "insufficient_funds"),
        AlertCause("7", AlertKind.SENDING, "credentials"),
        AlertCause("7", AlertKind.HELD, "order_failed"),
    }


@pytest.mark.parametrize("ended", ["fin", "can"])
def test_what_has_ended_has_no_causes(ended: str) -> None:
    assert list(causes(snapshot(blk__o="credentials", **{ended: "5"}))) == []


def test_the_flags_of_a_campaign_decide_its_subject_state() -> None:
    assert subject_state(snapshot()) is OPEN
    assert subject_state(snapshot(pau="1")) is PAUSED
    assert subject_state(snapshot(fin="1", pau="1")) is FINISHED
    assert subject_state(snapshot(can="1", fin="1")) is WITHDRAWN
    assert subject_state(replace(snapshot(), fields={})) is WITHDRAWN
