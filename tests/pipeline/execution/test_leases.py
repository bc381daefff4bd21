"""A lease is believed only before its end, and nothing starts after it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from pipeline.domain.batch import Unit
from pipeline.domain.clock import uptime
from pipeline.domain.errors import AbandonedError
from pipeline.execution.leases import Leases
from tests.pipeline.ledger import Ledger, a_campaign, lapse, pump, submit, taken
from tests.support.redis import Redis
from tests.support.waiting import wait_until

LONG = 600.0
"""A lease that ends only if a test ends it, however busy the machine is."""


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let every wait between two heartbeats be over at once; return how long each should be."""
    asked: list[float] = []

    async def soon(seconds: float) -> None:
        asked.append(seconds)
        await asyncio.sleep(0.001)

    monkeypatch.setattr("pipeline.execution.leases.asyncio", SimpleNamespace(sleep=soon))
    return asked


@asynccontextmanager
async def beating(leases: Leases) -> AsyncIterator[None]:
    task = asyncio.create_task(leases.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def a_unit(ledger: Ledger) -> Unit:
    await submit(ledger, a_campaign())
    (unit,) = await pump(ledger)
    return unit


async def lease_end(redis: Redis, unit: Unit) -> int:
    return int(await redis.hget(f"cc:{unit.serial}:b:{unit.batch}", "lu") or 0)


async def test_a_lease_is_renewed_for_as_long_as_it_is_held(
    ledger: Ledger, waits: list[float]
) -> None:
    unit, leases = await a_unit(ledger), Leases(ledger.batches, LONG)
    async with beating(leases), leases.acquire(unit) as lease:
        assert lease is not None
        first = lease.deadline, await lease_end(ledger.redis, unit)

        async def renewed() -> bool:
            end = await lease_end(ledger.redis, unit)
            return lease.deadline > first[0] and end > first[1] + 300

        await wait_until(renewed)
        assert set(waits) == {LONG / 3}
        lease.check()
        assert leases.serials() == {unit.serial}
        assert await pump(ledger) == []
    assert len(leases) == 0


async def test_after_its_deadline_nothing_may_be_started(ledger: Ledger) -> None:
    unit, leases = await a_unit(ledger), Leases(ledger.batches, 0.05)
    async with leases.acquire(unit) as lease:
        assert lease is not None
        await wait_until(lambda: uptime() >= lease.deadline)
        with pytest.raises(AbandonedError, match="lease_lost"):
            lease.check()


async def test_after_its_block_a_lease_is_worth_nothing(ledger: Ledger) -> None:
    async with Leases(ledger.batches, LONG).acquire(await a_unit(ledger)) as lease:
        assert lease is not None
    with pytest.raises(AbandonedError, match="lease_lost"):
        lease.check()


async def test_the_heartbeat_notices_a_lost_lease(ledger: Ledger) -> None:
    unit, leases = await a_unit(ledger), Leases(ledger.batches, 0.3)
    with capture_logs() as logs:
        async with beating(leases), leases.acquire(unit) as lease:
            assert lease is not None
            await ledger.redis.hset(f"cc:{unit.serial}:b:1", "tok", "9:somebody-else")
            await wait_until(lambda: lease.lost)
            with pytest.raises(AbandonedError, match="lease_lost"):
                lease.check()
    [lost] = [entry for entry in logs if entry["event"] == "lease.lost"]
    assert (lost["campaign"], lost["batch"], lost["lane"]) == (unit.serial, 1, "o")


async def test_a_leased_batch_is_not_leased_again(ledger: Ledger) -> None:
    unit = await a_unit(ledger)
    async with (
        Leases(ledger.batches, LONG).acquire(unit),
        Leases(ledger.batches, LONG).acquire(unit) as two,
    ):
        assert two is None


async def test_a_halt_concerns_the_named_campaigns_only_and_can_be_lifted(
    ledger: Ledger,
) -> None:
    for name in ("a", "b"):
        await submit(ledger, a_campaign(name))
    one, two = await pump(ledger)
    leases = Leases(ledger.batches, LONG)
    async with leases.acquire(one) as first, leases.acquire(two) as second:
        assert first is not None
        assert second is not None
        leases.halt({one.serial})
        second.check()
        with pytest.raises(AbandonedError, match="halted"):
            first.check()
        leases.halt(set())
        first.check()


class _Outage:
    """A batch store whose server goes away: renewals fail until it is back."""

    def __init__(self, ledger: Ledger) -> None:
        self._batches = ledger.batches
        self.failed = 0
        self.away = True

    async def claim(self, unit: Unit, **how: Any) -> Any:  # noqa: ANN401 - passed through
        return await self._batches.claim(unit, **how)

    async def renew(self, leases: Any, seconds: float) -> list[bool]:  # noqa: ANN401
        if self.away:
            self.failed += 1
            raise RedisConnectionError
        return await self._batches.renew(leases, seconds)


async def test_an_outage_lets_the_deadline_pass_and_the_heartbeat_live(
    ledger: Ledger, waits: list[float]
) -> None:
    unit, store = await a_unit(ledger), _Outage(ledger)
    leases = Leases(store, LONG)  # type: ignore[arg-type]
    async with beating(leases), leases.acquire(unit) as lease:
        assert lease is not None
        deadline = lease.deadline
        await wait_until(lambda: store.failed >= 3)
        assert lease.deadline == deadline, "what failed makes nothing longer"
        lease.deadline = uptime()  # by now it has passed
        with pytest.raises(AbandonedError):
            lease.check()
        store.away = False
        # Nobody took over meanwhile, so the work may go on.
        await wait_until(lambda: uptime() < lease.deadline)
        lease.check()


async def test_the_deadline_is_never_later_than_the_servers(ledger: Ledger) -> None:
    unit, leases = await a_unit(ledger), Leases(ledger.batches, LONG)
    async with leases.acquire(unit) as lease:
        assert lease is not None
        seconds, micros = await ledger.redis.time()
        now_server, now_here = seconds + micros / 1e6, uptime()
        left = await lease_end(ledger.redis, unit) / 1000 - now_server
        # Taken after the server's, our clock can only make ours look longer by its own delay.
        assert lease.deadline - now_here <= left + 0.002


class _Watched:
    """The real batch store, and when it was last asked for time."""

    def __init__(self, ledger: Ledger) -> None:
        self._batches = ledger.batches
        self.asked = 0.0

    async def claim(self, unit: Unit, **how: Any) -> Any:  # noqa: ANN401 - passed through
        self.asked = uptime()
        return await self._batches.claim(unit, **how)

    async def renew(self, leases: Any, seconds: float) -> list[bool]:  # noqa: ANN401
        self.asked = uptime()
        return await self._batches.renew(leases, seconds)


async def test_an_answer_that_takes_long_makes_no_lease_longer(ledger: Ledger) -> None:
    unit, store = await a_unit(ledger), _Watched(ledger)
    leases = Leases(store, LONG)  # type: ignore[arg-type]
    async with leases.acquire(unit) as lease:
        assert lease is not None
        assert lease.deadline <= store.asked + LONG
        await leases._renew()  # noqa: SLF001 - one heartbeat, now
        assert lease.deadline <= store.asked + LONG


async def test_a_lapsed_batch_is_free_for_the_next_dispatch(ledger: Ledger) -> None:
    unit, leases = await a_unit(ledger), Leases(ledger.batches, LONG)
    async with leases.acquire(unit) as lease:
        assert lease is not None
        await lapse(ledger, unit.serial)
        other: Mapping[str, object] = {"claim": await taken(ledger, unit.serial, nonce="x")}
        assert other
        await leases._renew()  # noqa: SLF001 - one heartbeat, now
        assert lease.lost
