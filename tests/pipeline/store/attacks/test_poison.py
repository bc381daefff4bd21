"""A poison batch runs in quarantine, then is held; kills from outside hold no healthy one."""

import pytest

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.models import BatchState, FactKind
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    lapse,
    make_due,
    people,
    retried,
    submit,
)

QUARANTINE = "cc:alone"


async def given(ledger: Ledger, worker: str, *, idle: bool = True) -> list[Unit]:
    return await ledger.batches.pump(
        order=5, read=5, send=5, dispatch_seconds=600, worker=worker, idle=idle
    )


async def claimed(ledger: Ledger, unit: Unit, nonce: str) -> Claim | None:
    return await ledger.batches.claim(unit, nonce=nonce, lease_seconds=600)


async def killed(ledger: Ledger, serial: str, times: int, batch: int = 1) -> list[int]:
    """Let *times* workers die of a batch; return the batches that each was given."""
    numbers = []
    for n in range(times):
        await lapse(ledger, serial, batch)
        units = await given(ledger, f"w{n}") or await given(ledger, f"w{n}")
        numbers.append(len(units))
        [mine] = [unit for unit in units if unit.batch == batch]
        assert await claimed(ledger, mine, f"n{n}") is not None
        await ledger.redis.delete(QUARANTINE)  # as it lapses with its worker
    await lapse(ledger, serial, batch)
    return numbers


async def state(ledger: Ledger, serial: str) -> tuple[BatchState, str | None]:
    found = await ledger.batches.read(serial, 1)
    assert found is not None
    return found.state, found.hold.reason


async def test_after_two_deaths_a_batch_waits_for_a_worker_that_does_nothing_else(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), 4)
    await killed(ledger, serial, 2)

    assert [unit.batch for unit in await given(ledger, "w")] == [2, 3, 4]
    assert await given(ledger, "w", idle=False) == [], "it finishes what it has"
    assert await given(ledger, "x") == [], "the others leave it to that worker"
    [poison] = await given(ledger, "w")
    assert (poison.batch, poison.lane) == (1, Lane.ORDER)
    await make_due(ledger, serial)
    assert await given(ledger, "w", idle=False) == [], "and it takes nothing beside it"
    assert [unit.batch for unit in await given(ledger, "x")] == [2, 3, 4]


async def test_a_worker_that_is_done_with_it_takes_part_again(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    await killed(ledger, serial, 2)
    await given(ledger, "w")
    [poison] = await given(ledger, "w")
    found = await claimed(ledger, poison, "n")
    assert found is not None
    await ledger.batches.release(found, delay=0)

    assert await given(ledger, "w") == []
    assert not await ledger.redis.exists(QUARANTINE)
    await make_due(ledger, serial)
    assert [unit.batch for unit in await given(ledger, "w")] == [1, 2]


async def test_three_deaths_of_lone_workers_hold_the_batch_with_evidence(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    await killed(ledger, serial, 5)

    assert await given(ledger, "w") == []
    [unit] = await given(ledger, "w")
    assert await claimed(ledger, unit, "last") is None

    assert await state(ledger, serial) == (BatchState.HELD, "worker_deaths")
    found = await ledger.batches.read(serial, 1)
    assert found is not None
    assert [lane for lane, _ in found.lease.deaths] == [Lane.ORDER] * 5
    await assert_sound(ledger, serial)
    assert await retried(ledger, serial, held=True) == (0, 1)
    assert await state(ledger, serial) == (BatchState.PLANNED, None)
    assert [unit.batch for unit in await given(ledger, "x")] == [1], "the count starts anew"


async def test_deliveries_in_flight_are_uncertain_in_a_held_batch_and_go_on_after_it(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    found = await fulfilled(ledger, serial)
    await ledger.batches.release(found, delay=0)
    await killed(ledger, serial, 4)
    await given(ledger, "w")
    [unit] = await given(ledger, "w")
    last = await claimed(ledger, unit, "n")
    assert last is not None
    assert await ledger.deliveries.intend(last, [IntentRequest(0, EMAIL, 0)]) == [1]
    await lapse(ledger, serial)
    [unit] = await given(ledger, "w")
    assert await claimed(ledger, unit, "m") is None

    assert await state(ledger, serial) == (BatchState.HELD, "worker_deaths")
    assert await ledger.counted(serial, "d:uncertain", "d:sending", "d:pending") == [1, 0, 1]
    await assert_sound(ledger, serial)
    assert await retried(ledger, serial, held=True) == (0, 1)
    assert await state(ledger, serial) == (BatchState.FULFILLED, None)


@pytest.mark.parametrize("deaths", [1, 4])
async def test_progress_starts_the_count_anew(ledger: Ledger, deaths: int) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    found = await fulfilled(ledger, serial)
    await ledger.batches.release(found, delay=0)
    await killed(ledger, serial, deaths)
    units = await given(ledger, "w") or await given(ledger, "w")
    last = await claimed(ledger, units[0], "n")
    assert last is not None
    await ledger.deliveries.intend(last, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record({(serial, 1): [Fact(0, EMAIL, 1, FactKind.SENT)]})
    await ledger.redis.delete(QUARANTINE)

    await lapse(ledger, serial)

    assert [unit.batch for unit in await given(ledger, "x")] == [1], "one death, among others"


async def test_an_orderly_stop_is_no_death(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    for n in range(9):
        await make_due(ledger, serial)
        [unit] = await given(ledger, "w")
        found = await claimed(ledger, unit, f"n{n}")
        assert found is not None
        await ledger.batches.release(found, delay=0)
    assert await state(ledger, serial) == (BatchState.PLANNED, None)
    assert await ledger.batches.read(serial, 1)


async def test_a_cancelled_campaign_is_brought_to_its_end_all_the_same(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    await killed(ledger, serial, 5)
    await ledger.campaigns.steer(serial, "cancel")
    await given(ledger, "w")
    [unit] = await given(ledger, "w")
    found = await claimed(ledger, unit, "n")
    assert found is not None
    assert found.cancelled


async def test_any_number_of_poison_batches_hides_no_sound_one(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 9)
    for batch in range(1, 9):
        await ledger.redis.hset(f"cc:{serial}:b:{batch}", "deaths", 2)
    assert [unit.batch for unit in await given(ledger, "w")] == [9]
