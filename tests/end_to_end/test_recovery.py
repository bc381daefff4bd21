"""How soon somebody goes on with what died: one quick round of what `make chaos` measures."""

from pathlib import Path

import pytest

from tests.chaos.recovery import (
    Times,
    at_work,
    fleet_killed,
    valkey_killed,
    worker_killed,
)

LEASE = 2
A_LITTLE = 3.0


@pytest.fixture
def times() -> Times:
    return Times()


def of(times: Times, what: str) -> list[float]:
    [found] = [seconds for name, seconds in times.found.items() if what in name]
    return found


async def test_work_goes_on_soon_after_any_death(tmp_path: Path, times: Times) -> None:
    async with at_work(tmp_path, LEASE, seconds=45) as fleet:
        await worker_killed(fleet, times)
        await valkey_killed(fleet, times)
        await fleet_killed(fleet, times)

    assert of(times, "in its first batch")[0] < LEASE + A_LITTLE
    assert of(times, "next message")[0] < 5
    # New workers may take longer to start than the lease lasts, on a busy machine.
    [started] = of(times, "the first of the new workers")
    assert max(of(times, "fleet's death to others")) < max(LEASE, started) + A_LITTLE
