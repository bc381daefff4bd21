"""Ordering and SMS against the sandbox, which is Python on the same cores and so part of it."""

import asyncio
import time

from bench.measures.session import Session
from bench.world.installation import Installation, open_installation
from bench.world.people import write_files
from bench.world.processes import until

_BATCH = 100
_SANDBOX = "against the sandbox, which shares the processors"


async def orders(session: Session) -> None:
    """Add orders per second: placed, read and their links stored; nothing is sent meanwhile."""
    values = []
    async with session.open_world() as world:
        for round_ in range(session.sizes.rounds):
            # One mail an hour is as good as none.
            async with open_installation(
                world, f"orders-{round_}", CLAIMCAST_LIMITS__EMAIL="1/h"
            ) as installation:
                serial = await installation.paused(session.sizes.orders * _BATCH)
                async with installation.workers(1):
                    values.append(session.sizes.orders / await ordered(installation, serial))
    what = f"orders of {_BATCH} links, placed, read and stored"
    session.results.add("Around it", "orders", what, "orders/s", *values, note=_SANDBOX)


async def ordered(installation: Installation, serial: str) -> float:
    """Resume a campaign; return the seconds until every batch has its links."""

    async def all_fulfilled() -> bool:
        batches = (await installation.app.campaigns.snapshot(serial)).batches()
        return batches["planned"] + batches["ordered"] == 0

    started = time.monotonic()
    await installation.resume(serial)
    await until(all_fulfilled, "orders", seconds=600)
    return time.monotonic() - started


async def sms(session: Session) -> None:
    """Add SMS per second."""
    values, people = [], session.sizes.sms
    async with session.open_world() as world:
        for round_ in range(session.sizes.rounds):
            async with open_installation(world, f"sms-{round_}") as installation:
                files = await asyncio.to_thread(
                    write_files,
                    installation.directory,
                    installation.name("all"),
                    people,
                    channel="sms",
                )
                serial, _ = await installation.submit(files)
                await installation.pause(serial)
                async with installation.workers(1):
                    values.append(people / (await installation.drain(serial)).seconds)
    session.results.add("Around it", "sms", "SMS, 1 worker", "people/s", *values, note=_SANDBOX)
