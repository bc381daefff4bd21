"""Jobs of other systems and of other versions: any arguments give an answer in one line."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from config.settings import load_settings
from pipeline.domain.batch import Lane
from pipeline.store.codec import LANE, LANE_LETTER
from tests.support.redis import Redis
from worker.executor.handoff import Handoff
from worker.executor.jobs import run_units, submit_campaign
from worker.executor.slots import Slots
from worker.wiring.engine import open_app
from worker.wiring.ledger import App

fuzzed = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["{{ link }}", "{% x", "email", "50/s", "10.00", "ann@example.com", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "email", "value", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CAMPAIGN: dict[str, Any] = {
    "name": "Survey",
    "reward": {"product_id": "CVS", "value": "10.00"},
    "delivery": {"channels": ["email"]},
    "email": {"subject": "Your reward", "text": "{{ link }}"},
    "recipients": [{"id": "1", "email": "ann@example.com", "name": "Ann"}],
}
SECTIONS = st.sampled_from([*CAMPAIGN, "id", "sms", "webhook", "limits", "start", "x"])


@pytest.fixture
async def app(
    redis: Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", valkey_url)
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", Fernet.generate_key().decode())
    async with open_app(load_settings(None)) as app:
        yield app


def assert_sentence(answer: dict[str, str], logs: object) -> None:
    text = answer.get("error", "")
    assert set(answer) == ({"error"} if text else {"campaign", "state"})
    for jargon in ("Traceback", "Input should", "\n", "object at 0x", "Error("):
        assert jargon not in text
    assert "ann@example.com" not in repr(logs)


@fuzzed
@given(
    number=st.integers(0, 10**9),
    changes=st.dictionaries(SECTIONS, ODD, max_size=3),
    rows=st.none() | st.lists(ODD, max_size=4),
)
async def test_any_campaign_is_taken_in_or_answered_with_what_is_wrong(
    app: App, number: int, changes: dict[str, object], rows: list[object] | None
) -> None:
    data = {**CAMPAIGN, "id": f"c-{number}", **changes}
    if rows is not None:
        data["recipients"] = [*CAMPAIGN["recipients"], *rows]
    with capture_logs() as logs:
        assert_sentence(await submit_campaign({"app": app}, data), logs)


@fuzzed
@given(args=st.lists(ODD, max_size=3), more=st.dictionaries(st.text(max_size=9), ODD, max_size=2))
async def test_a_job_without_a_campaign_is_answered(
    app: App, args: list[object], more: dict[str, object]
) -> None:
    with capture_logs() as logs:
        assert_sentence(await submit_campaign({"app": app}, *args, **more), logs)


UNITS = st.tuples(
    st.text(max_size=3), st.integers(1, 9), st.sampled_from([*LANE]), st.integers(1, 9)
)
ALMOST = st.tuples(*(ODD | part for part in (st.just("1"), st.just(1), st.just("s"), st.just(1))))


@fuzzed
@given(
    args=st.lists(UNITS.map(list) | ALMOST.map(list) | ODD, max_size=3).map(lambda found: (found,))
    | st.lists(UNITS.map(list), min_size=1, max_size=3).map(lambda found: (found,))
    | st.lists(ODD, max_size=6).map(tuple),
    more=st.just({})
    | st.dictionaries(st.text(min_size=1, max_size=9).filter(lambda name: name != "ctx"), ODD),
)
async def test_units_that_are_none_are_reported_and_those_that_are_reach_their_work(
    args: tuple[object, ...], more: dict[str, object]
) -> None:
    noted, slots = _Noted(), Slots(dict.fromkeys(Lane, 3))
    handoff = Handoff(slots)
    handoff.close()
    with capture_logs() as logs:
        await run_units({"slots": slots, "units": noted, "handoff": handoff}, *args, **more)
    reported = [entry["event"] for entry in logs] == ["job.unreadable"]
    assert reported != bool(noted.units)
    for unit in noted.units:
        assert isinstance(unit.serial, str)
        assert isinstance(unit.lane, Lane)


@fuzzed
@given(items=st.lists(UNITS, min_size=1, max_size=3))
async def test_every_unit_of_ours_reaches_its_work(items: list[tuple[str, int, str, int]]) -> None:
    noted, slots = _Noted(), Slots(dict.fromkeys(Lane, 3))
    handoff = Handoff(slots)
    handoff.close()
    await run_units({"slots": slots, "units": noted, "handoff": handoff}, items)
    found = [
        (unit.serial, unit.batch, LANE_LETTER[unit.lane], unit.dispatch_number)
        for unit in noted.units
    ]
    assert sorted(found) == sorted(items)


class _Noted:
    """Takes note of what would be worked on."""

    def __init__(self) -> None:
        self.units: list[Any] = []

    async def run(self, unit: object) -> None:
        self.units.append(unit)
