"""Which batch is worked on next: fairly, and nothing that may not or cannot be worked on."""

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.rate import Rate
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    claim,
    fulfilled,
    make_due,
    pump,
    stage,
    submit,
    taken,
)


async def dispatched(ledger: Ledger, number: int = 100) -> list[tuple[str, int]]:
    return [(unit.serial, unit.batch) for unit in await pump(ledger, number)]


async def test_a_small_campaign_behind_a_huge_one_starts_at_once(ledger: Ledger) -> None:
    await submit(ledger, a_campaign("huge"), 200)
    small = await submit(ledger, a_campaign("small"), 1)
    assert small in {serial for serial, _ in await dispatched(ledger, 2)}


async def test_campaigns_are_served_in_turn_over_many_calls(ledger: Ledger) -> None:
    serials = [await submit(ledger, a_campaign(name), 5) for name in ("a", "b", "c")]
    served = [serial for _ in range(6) for serial, _ in await dispatched(ledger, 1)]
    assert sorted(served[:3]) == serials
    assert sorted(served[3:]) == serials


async def test_a_call_gives_no_more_than_there_are_slots_and_no_batch_twice(
    ledger: Ledger,
) -> None:
    await submit(ledger, a_campaign(), 5)
    assert len(await dispatched(ledger, 3)) == 3
    assert len(await dispatched(ledger, 3)) == 2
    assert await dispatched(ledger, 3) == []


async def test_each_lane_has_slots_of_its_own(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    await ledger.batches.release(await fulfilled(ledger, serial, 1), delay=0)
    await make_due(ledger, serial)
    units = await ledger.batches.pump(order=0, read=0, send=1, dispatch_seconds=600)
    assert [(unit.batch, unit.lane) for unit in units] == [(1, Lane.SEND)]


async def test_a_dispatch_that_nobody_claims_lapses_and_is_given_again(ledger: Ledger) -> None:
    await submit(ledger, a_campaign())
    first = await ledger.batches.pump(order=1, read=1, send=1, dispatch_seconds=0)
    again = await ledger.batches.pump(order=1, read=1, send=1, dispatch_seconds=0)
    assert [unit.dispatch_number for unit in (*first, *again)] == [1, 2]


async def test_a_batch_under_a_live_lease_is_not_dispatched(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    assert await taken(ledger, serial)
    assert await dispatched(ledger) == []


async def test_a_staged_campaign_is_not_dispatched_before_its_commit(ledger: Ledger) -> None:
    campaign = a_campaign()
    staging, totals = await stage(ledger, campaign, [[]])
    assert await dispatched(ledger) == []
    await ledger.staging.commit(staging, campaign, totals)
    assert len(await dispatched(ledger)) == 1


async def test_paused_and_scheduled_campaigns_wait_while_others_go_on(ledger: Ledger) -> None:
    paused = await submit(ledger, a_campaign("a"))
    scheduled = await submit(ledger, a_campaign("b"))
    running = await submit(ledger, a_campaign("c"))
    await ledger.campaigns.steer(paused, "pause")
    await ledger.redis.hset(f"cc:{scheduled}", "start", "99999999999999")
    assert await dispatched(ledger) == [(running, 1)]
    await ledger.campaigns.steer(paused, "resume")
    assert await dispatched(ledger) == [(paused, 1)]


async def test_many_paused_campaigns_do_not_hide_a_running_one(ledger: Ledger) -> None:
    for number in range(205):
        serial = await submit(ledger, a_campaign(f"paused-{number}"))
        await ledger.campaigns.steer(serial, "pause")
    running = await submit(ledger, a_campaign("running"))
    await ledger.redis.zadd("cc:active", {running: 0.5})  # behind all of them
    found = [await dispatched(ledger) for _ in range(3)]
    assert [(running, 1)] in found


# Blocked lanes


async def blocked(
    ledger: Ledger, serial: str, lane: Lane = Lane.ORDER, *, probe: float = 60
) -> None:
    await ledger.campaigns.block(serial, lane, "reason", "words", probe_after=probe)


async def probe_is_due(ledger: Ledger, serial: str) -> None:
    await ledger.redis.hset(f"cc:{serial}", "blk:o:until", "1")


async def test_a_blocked_lane_stops_and_the_others_go_on(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 3)
    await ledger.batches.release(await fulfilled(ledger, serial, 1), delay=0)
    await make_due(ledger, serial)
    await blocked(ledger, serial, probe=0)
    assert [unit.lane for unit in await pump(ledger)] == [Lane.SEND]


async def test_a_probe_is_a_single_batch(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    await blocked(ledger, serial)
    assert await dispatched(ledger) == []
    await probe_is_due(ledger, serial)
    assert len(await dispatched(ledger)) == 1
    assert await dispatched(ledger) == []
    assert await ledger.campaigns.unblock(serial, Lane.ORDER)
    assert len(await dispatched(ledger)) == 4


async def test_a_probe_that_fails_blocks_again_and_is_counted(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    for failures in (1, 2, 3):
        await blocked(ledger, serial)
        assert await dispatched(ledger) == []
        assert await ledger.counted(serial, "blk:o:n") == [failures]
        await probe_is_due(ledger, serial)
        assert len(await dispatched(ledger)) == 1


async def test_batches_in_work_when_a_lane_is_blocked_count_as_one_failure(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), 5)
    for _ in range(6):
        await blocked(ledger, serial)
    assert await ledger.counted(serial, "blk:o:n") == [1]


async def test_a_block_without_a_probe_ends_only_by_a_resume(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    await blocked(ledger, serial, probe=0)
    await make_due(ledger, serial)
    assert await dispatched(ledger) == []
    assert await ledger.campaigns.steer(serial, "resume")
    assert len(await dispatched(ledger)) == 2
    assert not [name for name in await ledger.counters(serial) if name.startswith("blk")]


async def test_a_cancelled_campaign_is_worked_to_its_end_whatever_blocked_it(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), 3)
    await blocked(ledger, serial, probe=0)
    await ledger.campaigns.steer(serial, "pause")
    assert await ledger.campaigns.steer(serial, "cancel")
    for unit in await pump(ledger):
        found = await claim(ledger, unit)
        assert found is not None
        assert found.cancelled
        await ledger.batches.cancel(found)
    assert "fin" in await ledger.counters(serial)
    assert not await ledger.campaigns.steer(serial, "resume")


# Limits


@pytest.mark.parametrize(("limiter", "lane"), [("orders", Lane.ORDER), ("email", Lane.SEND)])
async def test_a_batch_without_a_permit_to_get_is_not_dispatched(
    ledger: Ledger, limiter: str, lane: Lane
) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    await ledger.batches.release(await fulfilled(ledger, serial, 1), delay=0)
    await make_due(ledger, serial)
    await ledger.limiter.cool_down(limiter, 3000)
    assert lane not in [unit.lane for unit in await pump(ledger)]


async def test_a_shorter_cooldown_does_not_hide_the_longer_one_from_the_pump(
    ledger: Ledger,
) -> None:
    await submit(ledger, a_campaign(), 2)
    await ledger.limiter.cool_down("orders", 3000)
    await ledger.limiter.cool_down("orders", 0.01)
    assert await dispatched(ledger) == []


async def test_a_campaign_at_its_own_limit_does_not_stop_another(ledger: Ledger) -> None:
    ready = []
    for name in ("a", "b"):
        serial = await submit(ledger, a_campaign(name))
        await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
        await make_due(ledger, serial)
        ready.append(serial)
    own: dict[str, Rate | None] = {f"{ready[0]}:email": Rate.parse("1/h")}
    assert (await ledger.limiter.acquire("email", 1, own)).granted == 1
    assert await dispatched(ledger) == [(ready[1], 1)]


async def test_a_batch_dispatched_before_a_pause_goes_on_at_once_after_it(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    units = await pump(ledger)
    await ledger.campaigns.steer(serial, "pause")
    for unit in units:
        assert await claim(ledger, unit) is None
    assert await pump(ledger) == []
    await ledger.campaigns.steer(serial, "resume")
    assert len(await pump(ledger)) == 2
