"""The plan: repeatable with its seed, and everything happens within its time."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.fault_injector import FaultInjector
from tests.chaos.monkey import SERVICES, WORKERS, plan

SEEDS = st.integers(0, 10**6)


@given(seed=SEEDS, seconds=st.floats(10, 600))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_gives_the_same_plan_in_order_and_in_time(seed: int, seconds: float) -> None:
    events = plan(seed, seconds=seconds, lease=3)
    assert events == plan(seed, seconds=seconds, lease=3)
    times = [event.at for event in events]
    assert times == sorted(times)
    assert all(0 < at < seconds for at in times)
    assert all(event.worker in range(WORKERS) for event in events)


def test_another_seed_gives_another_plan() -> None:
    assert plan(1, seconds=60, lease=3) != plan(2, seconds=60, lease=3)


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_usual_run_has_something_of_everything(seed: int) -> None:
    kinds = Counter(event.kind for event in plan(seed, seconds=150, lease=3))
    assert kinds["kill_worker"] >= 20
    assert kinds["kill_fleet"] == 1
    assert all(hasattr(FaultInjector, f"_{kind}") for kind in kinds)
    assert len(kinds) == 15


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_as_many_kills_are_aimed_at_ordering_as_at_sending_and_while_there_are_orders(
    seed: int,
) -> None:
    events = plan(seed, seconds=150, lease=3)
    kills = [event for event in events if event.kind in {"kill_worker", "skew_worker"}]
    ordering = [event.at for event in kills if event.lane == "o"]
    sending = [event.at for event in kills if event.lane == "s"]
    assert len(ordering) + len(sending) == len(kills) == 28
    # Chance may put nearly all kills late, when nothing is left to order.
    early = [event for event in kills if event.at < 105]
    assert len(ordering) == min(14, len(early))
    assert max(ordering) < 105
    if len(early) > 15:
        assert min(sending) < 105


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_freeze_outlasts_the_lease_and_a_fault_has_its_place(seed: int) -> None:
    for event in plan(seed, seconds=150, lease=3):
        if event.kind == "freeze_worker":
            assert event.seconds > 3
        if event.kind in {"cut", "cut_inside", "swallow", "delay", "refuse"}:
            assert event.service in SERVICES
        if event.kind == "faults":
            assert event.service in {"faults", "smtp-faults", "sms-faults"}
