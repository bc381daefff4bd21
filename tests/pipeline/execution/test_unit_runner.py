"""A unit of work gives its batch back, whatever happens to it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.errors import AbandonedError, ClaimcastError
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import BatchState
from pipeline.domain.vault import SealError
from pipeline.execution.leases import Lease, Leases
from pipeline.execution.unit_runner import UnitRunner
from pipeline.store.keys import due_key
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    make_due,
    pump,
    submit,
)

Work = Callable[[Lease], Awaitable[None]]


class Stage:
    """Does what the test says."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def run(self, lease: Lease) -> None:
        await self._work(lease)


def units_of(ledger: Ledger, work: Work) -> UnitRunner:
    return UnitRunner(
        leases=Leases(ledger.batches, 600),
        batches=ledger.batches,
        stages={Lane.ORDER: Stage(work)},
        measurements=Measurements(),
    )


def failing(error: BaseException) -> Work:
    async def work(_: Lease) -> None:
        raise error

    return work


async def a_unit(ledger: Ledger) -> Unit:
    await submit(ledger, a_campaign())
    (unit,) = await pump(ledger)
    return unit


@pytest.mark.parametrize(
    "error", [AbandonedError("halted"), RedisConnectionError(), OSError("gone")], ids=repr
)
async def test_an_interrupted_batch_is_due_again_at_once(ledger: Ledger, error: Exception) -> None:
    unit = await a_unit(ledger)
    await units_of(ledger, failing(error)).run(unit)
    assert [each.batch for each in await pump(ledger)] == [1]
    await assert_sound(ledger, unit.serial)


@pytest.mark.parametrize("error", [ClaimcastError("no"), RuntimeError("defect")], ids=repr)
async def test_a_failing_batch_is_tried_again_ever_more_rarely(
    ledger: Ledger, error: Exception
) -> None:
    unit = await a_unit(ledger)
    for wait in (1, 2, 4, 8):
        began = await now_ms(ledger)
        await units_of(ledger, failing(error)).run(unit)
        due = await ledger.redis.zscore(due_key(unit.serial, Lane.ORDER), str(unit.batch))
        assert due is not None
        assert began <= due - wait * 1000 <= await now_ms(ledger)
        await make_due(ledger, unit.serial)
        (unit,) = await pump(ledger)


async def now_ms(ledger: Ledger) -> int:
    """Return the time of the server, which is the one that sets when something is due."""
    seconds, micros = await ledger.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def test_a_unit_that_is_cancelled_gives_its_batch_back(ledger: Ledger) -> None:
    unit, started = await a_unit(ledger), asyncio.Event()

    async def work(_: Lease) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(units_of(ledger, work).run(unit))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.batch for each in await pump(ledger)] == [1]


async def test_an_outdated_unit_does_nothing(ledger: Ledger) -> None:
    unit = await a_unit(ledger)
    late = Unit(unit.serial, unit.batch, unit.lane, unit.dispatch_number - 1)
    await units_of(ledger, failing(AssertionError("worked"))).run(late)
    batch = await ledger.batches.read(unit.serial, 1)
    assert batch is not None
    assert (batch.order.fails, batch.lease.leased) == (0, False)


async def test_an_outage_at_the_claim_is_left_to_the_dispatch(ledger: Ledger) -> None:
    unit = await a_unit(ledger)

    class Gone:
        async def claim(self, *_: object, **__: object) -> None:
            raise RedisConnectionError

    units = UnitRunner(
        leases=Leases(Gone(), 600),  # type: ignore[arg-type]
        batches=ledger.batches,
        stages={},
        measurements=Measurements(),
    )
    await units.run(unit)
    await make_due(ledger, unit.serial)
    assert len(await pump(ledger)) == 1


async def test_a_ledger_that_cannot_be_read_ends_no_unit_beside_it(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    await ledger.redis.hset(f"cc:{serial}:d:1", "0", "qe1.1.0.0.0.")
    (unit,) = await pump(ledger)
    with capture_logs() as logs:
        await units_of(ledger, failing(AssertionError())).run(unit)
    [defect] = logs
    assert (defect["event"], defect["batch"], defect["lane"]) == ("unit.defect", 1, "s")


async def test_a_batch_that_cannot_be_opened_is_left_to_workers_with_the_key(
    ledger: Ledger,
) -> None:
    unit, missing = await a_unit(ledger), list[str]()

    async def missing_keys() -> list[str]:
        return missing

    async def work(_: Lease) -> None:
        msg = "rows:1:1 cannot be decrypted"
        raise SealError(msg)

    units = UnitRunner(
        leases=Leases(ledger.batches, 600),
        batches=ledger.batches,
        stages={Lane.ORDER: Stage(work)},
        measurements=Measurements(),
        missing_keys=missing_keys,
    )
    missing.append("1a2b3c4d")
    await units.run(unit)
    assert "1a2b3c4d" in str(units.unfit)

    missing.clear()
    units.unfit = None
    await make_due(ledger, unit.serial)
    (unit,) = await pump(ledger)
    await units.run(unit)
    assert units.unfit is None, "damage is no reason for the worker to stop"
    found = await ledger.batches.read(unit.serial, 1)
    assert found is not None
    assert (found.state, found.hold.reason) == (BatchState.HELD, "damaged")
    await assert_sound(ledger, unit.serial)
