"""Units that are handed from job to job, and what becomes of those that nobody takes."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from pipeline.domain.batch import Lane, Unit
from tests.support.prolong import prolong
from tests.support.waiting import wait_until
from worker.executor import jobs
from worker.executor.handoff import Handoff
from worker.executor.jobs import run_units
from worker.executor.slots import Slots

FOREVER = 600.0


class Noted:
    """Stands in for the stages: notes what was run."""

    def __init__(self) -> None:
        self.units: list[Unit] = []

    async def run(self, unit: Unit) -> None:
        self.units.append(unit)


class Parts:
    def __init__(self) -> None:
        self.slots = Slots(dict.fromkeys(Lane, 2))
        self.handoff = Handoff(self.slots)
        self.units = Noted()

    @property
    def context(self) -> dict[str, object]:
        return {"slots": self.slots, "units": self.units, "handoff": self.handoff}

    def waits(self, number: int = 1) -> bool:
        return self.handoff.waiting == number


@pytest.fixture
async def parts(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Parts]:
    prolong(monkeypatch, jobs, "_PATIENCE_SECONDS", usual=1.0, to=FOREVER)
    prolong(monkeypatch, jobs, "_HANDOFF_SECONDS", usual=20.0, to=FOREVER)
    found = Parts()
    yield found
    found.handoff.close()


def unit(batch: int) -> Unit:
    return Unit("1", batch, Lane.SEND, 1)


async def test_a_job_goes_on_with_what_it_is_handed(parts: Parts) -> None:
    job = asyncio.create_task(run_units(parts.context, [("1", 1, "s", 1)]))
    for batch in (2, 3):
        await wait_until(parts.waits)
        assert len(parts.slots) == 0
        assert parts.handoff.offer(unit(batch))
        assert parts.slots.running() == 1
    await wait_until(parts.waits)
    parts.handoff.close()
    await job
    assert parts.units.units == [unit(1), unit(2), unit(3)]
    assert len(parts.slots) == 0


async def test_the_units_of_a_job_run_beside_each_other(parts: Parts) -> None:
    job = asyncio.create_task(run_units(parts.context, [("1", 1, "s", 1), ("1", 2, "s", 1)]))
    await wait_until(partial(parts.waits, 2))
    for batch in (3, 4):
        assert parts.handoff.offer(unit(batch))
    await wait_until(partial(parts.waits, 2))
    parts.handoff.close()
    await job
    assert sorted(each.batch for each in parts.units.units) == [1, 2, 3, 4]


async def test_a_job_that_had_its_time_takes_no_more(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_HANDOFF_SECONDS", 0.0)
    await run_units(parts.context, [("1", 1, "s", 1)])
    assert parts.units.units == [unit(1)]


async def test_without_a_job_that_waits_a_unit_is_not_taken(parts: Parts) -> None:
    assert not parts.handoff.offer(unit(1))
    assert len(parts.slots) == 0


async def test_a_job_ends_when_nothing_comes(parts: Parts) -> None:
    assert await parts.handoff.next(0.01) is None
    assert not parts.waits()
    assert not parts.handoff.offer(unit(1))


async def test_once_it_is_closed_nobody_waits(parts: Parts) -> None:
    waiting = asyncio.create_task(parts.handoff.next(FOREVER))
    await wait_until(parts.waits)
    parts.handoff.close()
    parts.handoff.close()
    assert await waiting is None
    assert await parts.handoff.next(FOREVER) is None


async def test_the_slot_of_a_unit_that_a_dying_job_was_handed_is_free_again(parts: Parts) -> None:
    waiting = asyncio.create_task(parts.handoff.next(FOREVER))
    await wait_until(parts.waits)
    assert parts.handoff.offer(unit(1))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(parts.slots) == 0
    assert parts.slots.changed.is_set()


async def test_a_job_that_died_while_it_waited_is_handed_nothing(parts: Parts) -> None:
    waiting = asyncio.create_task(parts.handoff.next(FOREVER))
    await wait_until(parts.waits)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not parts.handoff.offer(unit(1))


async def test_the_last_to_wait_goes_on_first(parts: Parts) -> None:
    waiting = []
    for number in (1, 2):
        waiting.append(asyncio.create_task(parts.handoff.next(FOREVER)))
        await wait_until(partial(parts.waits, number))
    assert parts.handoff.offer(unit(7))
    assert await waiting[1] == unit(7)
    parts.handoff.close()
    assert await waiting[0] is None
