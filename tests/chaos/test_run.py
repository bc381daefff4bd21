"""A small run of the whole thing: that it works is known before somebody needs a large one."""

from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaigns import RECIPES
from tests.chaos.report import as_text
from tests.chaos.run import Settings, run

_PATIENCE = 300.0  # seconds: other tests may have the processors meanwhile
_STALL = 7  # seconds: for so long they may have them all


async def test_a_short_run_loses_doubles_and_leaks_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    settings = Settings(
        seed=40,
        people=800,
        seconds=8,
        recipes=[each for each in RECIPES if each.id in {"hold", "all"}],
        directory=tmp_path,
        settle=_PATIENCE,
        hasty=True,
        stall=_STALL,
        say=said.append,
    )
    outcome = await run(settings)
    assert not outcome.verdict.findings, as_text(outcome)
    assert {"kill_worker", "kill_fleet", "kill_valkey"} <= _kinds(outcome.done)
    assert outcome.verdict.counts["people"] == 280
    assert outcome.verdict.counts["people reached"] > 200
    assert said[-1] == "judging"


def _kinds(done: Sequence[tuple[float, float, str, str]]) -> set[str]:
    return {kind for _, _, kind, _ in done}
