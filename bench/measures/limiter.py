"""The rate limiter: what it costs, and whether mail keeps to it at the wire."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measures.session import Session
from bench.report.figures import worst_window
from bench.world.installation import open_installation
from pipeline.domain.metrics import Measurements
from pipeline.domain.rate import Rate
from pipeline.store.rate_limiter import Limiter
from pipeline.store.scripts import Scripts

_TASKS = 20
_RATE = 200
_BURST = 0.1 * _RATE
"""Permits: what a tenth of a second gives, see permit.lua."""

_NO_LIMIT = "100000000/s"
"""A rate that is booked like any other and never reached."""

_SECONDS = 2.0


async def measure(session: Session) -> None:
    """Add permits per second, and how a limit of 200 mails per second is kept."""
    await _permits(session)
    shares, seconds, uses = [], [], []
    for _ in range(session.sizes.rounds):
        moments = await _mails(session)
        shares.append(worst_window(moments, _RATE, _BURST))
        seconds.append(worst_window(moments, _RATE, _BURST, shortest=1.0))
        uses.append(len(moments) / (_RATE * (moments[-1] - moments[0]) + _BURST))
    add, unit = session.results.add, "sent / allowed"
    what = f"limit {_RATE}/s, mails at the sink"
    add("Around it", "limit_worst", f"{what}: the worst of all windows", unit, *shares)
    add("Around it", "limit_second", f"{what}: of those of a second and more", unit, *seconds)
    add("Around it", "limit_use", f"{what}: the whole run", unit, *uses)


async def _permits(session: Session) -> None:
    add = session.results.add
    async with session.open_world() as world, open_installation(world, "permits") as installation:
        scripts = Scripts(installation.app.redis)
        limiter = Limiter(
            installation.app.redis, scripts, {"bench": Rate.parse(_NO_LIMIT)}, Measurements()
        )
        for wanted in (1, 100):
            values = [
                await permits_per_second(limiter, wanted) for _ in range(session.sizes.rounds)
            ]
            what = f"permits, {wanted} at a time, {_TASKS} tasks in 1 process"
            add("Around it", f"permits_{wanted}", what, "permits/s", *values)


async def permits_per_second(limiter: Limiter, wanted: int, seconds: float = _SECONDS) -> float:
    """Return how many permits of the limiter "bench" are given per second to 20 tasks."""
    # So that every connection is open before the clock starts.
    await asyncio.gather(*(limiter.acquire("bench", wanted) for _ in range(_TASKS)))
    granted, started = 0, time.monotonic()

    async def acquire() -> None:
        nonlocal granted
        while time.monotonic() < started + seconds:
            # Not in one line: what the others add while this one waits would be lost.
            permits = await limiter.acquire("bench", wanted)
            granted += permits.granted

    await asyncio.gather(*(acquire() for _ in range(_TASKS)))
    return granted / (time.monotonic() - started)


async def _mails(session: Session) -> Sequence[float]:
    """Return when each mail reached the sink, in order; two workers share the limit."""
    async with session.open_world("own") as world:
        rate = f"{_RATE}/s"
        async with open_installation(
            world, "limited", CLAIMCAST_LIMITS__EMAIL=rate
        ) as installation:
            serial = await installation.paused(_RATE * session.sizes.limited)
            async with installation.workers(2):
                await installation.drain(serial)
        file = world.sink.moments
    return await asyncio.to_thread(_read, file)


def _read(file: Path) -> list[float]:
    return sorted(float(line) for line in file.read_text("utf-8").splitlines())
