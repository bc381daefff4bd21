"""Jobs that nobody can read: reported, never retried, and never a traceback."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from worker.executor.jobs import run_units, submit_campaign

FOREIGN: list[tuple[tuple[object, ...], dict[str, object]]] = [
    ((), {}),
    (([],), {}),
    (("1", 2, "s", 3), {}),
    (([("1", 2)],), {}),
    (([("1", 2, "s", 3, "more")],), {}),
    (([("1", "2", "s", 3)],), {}),
    (([("1", 2, "z", 3)],), {}),
    (([("1", 2, "s", 3), ("1", 3, "z", 3)],), {}),
    (([("1", 2, "s", 3)], []), {}),
    (([("1", 2, "s", 3)],), {"schema": 2}),
]


@pytest.mark.parametrize(("args", "more"), FOREIGN)
async def test_a_unit_of_another_version_is_reported(
    args: tuple[object, ...], more: dict[str, object]
) -> None:
    with capture_logs() as logs:
        await run_units({"slots": None, "units": None, "job_id": "x"}, *args, **more)
    assert [entry["event"] for entry in logs] == ["job.unreadable"]


@pytest.mark.parametrize(
    ("args", "more"),
    [((), {}), (("c",), {}), (({}, {}), {}), ((), {"campaigns": {}}), (({},), {"priority": 1})],
)
async def test_a_campaign_that_is_none_is_answered_with_what_is_wanted(
    args: tuple[Any, ...], more: dict[str, Any]
) -> None:
    with capture_logs() as logs:
        answer = await submit_campaign({"app": None}, *args, **more)
    assert "one argument: the campaign" in answer["error"]
    assert [entry["event"] for entry in logs] == ["job.unreadable"]
