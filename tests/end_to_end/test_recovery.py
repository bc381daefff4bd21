"""Somebody goes on with what died: one round of what `make chaos CHAOS=recovery` measures."""

import json
from collections.abc import Collection
from functools import partial
from pathlib import Path

from tests.chaos.ledger import Job
from tests.chaos.recovery import (
    EACH,
    FLEET,
    Pair,
    Times,
    at_work,
    fleet_killed,
    valkey_killed,
    worker_killed,
)
from tests.support.waiting import wait_until

LEASE = 4


async def test_work_goes_on_after_any_death_and_nobody_is_lost(tmp_path: Path) -> None:
    times = Times()
    # More work than is done meanwhile, so that each death hits workers that are busy.
    async with at_work(tmp_path, LEASE, seconds=120) as fleet:
        first = await worker_killed(fleet, times)
        await valkey_killed(fleet, times)
        last = await fleet_killed(fleet, times)

        assert len(times.found[EACH, LEASE]) == len(first) > 1
        assert len(times.found[FLEET, LEASE]) == len(last) > 2
        await everybody_reached(fleet, {*first, *last})
        assert await waits_for_nobody(fleet)


async def everybody_reached(fleet: Pair, jobs: Collection[Job]) -> None:
    """Wait until nothing is left to do for what had died; check that everybody has a message."""
    for job in jobs:
        await wait_until(partial(fleet.ledger.done, job))
    taken = {each.key for each in fleet.attempts if each.code == 250}
    assert set(fleet.addresses(jobs)) <= taken


async def waits_for_nobody(fleet: Pair) -> bool:
    """Return whether the campaign goes on by itself and the ledger is sound."""
    _, shown = await fleet.command("status", "recovery", "--json")
    found = json.loads(shown)
    code, said = await fleet.command("verify", "recovery")
    assert code == 0, said
    return found["state"] in {"running", "finished"} and not found["batches"]["held"]
