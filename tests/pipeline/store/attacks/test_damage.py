"""A batch with damaged or missing data stops, and an operator is told."""

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import BatchState
from pipeline.domain.vault import SealError
from pipeline.execution.leases import Lease, Leases
from pipeline.execution.unit_runner import UnitRunner
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    fulfilled,
    lapse,
    open_ledger,
    placed,
    pump,
    submit,
)
from tests.pipeline.stages.stage_worker import sending
from tests.support.redis import Redis


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return open_ledger(redis)


class Unreadable:
    async def run(self, lease: Lease) -> None:
        msg = f"definition:{lease.claim.unit.serial} cannot be decrypted"
        raise SealError(msg)


async def no_keys() -> list[str]:
    return []


async def test_a_cancelled_batch_whose_order_cannot_be_judged_comes_to_its_end(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    await placed(ledger, serial)
    await ledger.campaigns.steer(serial, "cancel")
    units = UnitRunner(
        leases=Leases(ledger.batches, 600),
        batches=ledger.batches,
        stages={Lane.READ: Unreadable()},
        measurements=Measurements(),
        missing_keys=no_keys,
    )
    for _ in range(5):
        await lapse(ledger, serial)
        for unit in await pump(ledger):
            await units.run(unit)
    assert "fin" in await ledger.counters(serial)


@pytest.mark.parametrize("kind", ["r", "k"])
async def test_a_batch_whose_people_or_links_are_missing_is_held(
    ledger: Ledger, kind: str
) -> None:
    serial = await submit(ledger, a_campaign())
    await fulfilled(ledger, serial)
    await ledger.redis.delete(f"cc:{serial}:{kind}:1")
    async with sending(ledger, ScriptedChannel()) as worker:
        units = UnitRunner(
            leases=worker.leases,
            batches=ledger.batches,
            stages=worker.stages,
            measurements=Measurements(),
            missing_keys=no_keys,
        )
        for _ in range(3):
            await lapse(ledger, serial)
            for unit in await pump(ledger):
                await units.run(unit)
    found = await ledger.batches.read(serial, 1)
    assert found is not None
    assert (found.state, found.hold.reason) == (BatchState.HELD, "damaged")
