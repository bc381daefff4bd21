"""Jobs of other systems and of other versions: any arguments give an answer in one line."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

from config.settings import load_settings
from pipeline.batch import Lane
from worker.app import open_app
from worker.jobs import run_unit, submit_campaign
from worker.ledger import App

fuzzed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

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


@fuzzed
@given(
    args=st.tuples(
        ODD | st.just("1"),
        ODD | st.just(1),
        ODD | st.sampled_from(list("orsh")),
        ODD | st.just(1),
    )
    | st.lists(ODD, max_size=6).map(tuple),
    more=st.dictionaries(st.text(min_size=1, max_size=9), ODD, max_size=1),
)
async def test_a_unit_that_is_none_is_reported_and_one_that_is_reaches_its_work(
    args: tuple[object, ...], more: dict[str, object]
) -> None:
    worked = _Worked()
    with capture_logs() as logs:
        await run_unit({"slots": worked, "units": worked, "job_id": "x"}, *args, **more)
    reported = [entry["event"] for entry in logs] == ["job.unreadable"]
    assert reported != bool(worked.units)
    for unit in worked.units:
        assert isinstance(unit.serial, str)
        assert isinstance(unit.lane, Lane)


class _Worked:
    """Takes note of what would be worked on."""

    def __init__(self) -> None:
        self.units: list[Any] = []

    def start(self, job_id: str) -> None: ...

    def give_back(self, job_id: str) -> None: ...

    async def run(self, unit: object) -> None:
        self.units.append(unit)
