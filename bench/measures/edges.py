"""Ordering and SMS against the sandbox, which is Python on the same cores and so part of it."""

import asyncio
import time

from bench.measures.session import Session
from bench.world.installation import Installation, installation
from bench.world.people import write_files
from bench.world.processes import until

_BATCH = 100
_SANDBOX = "against the sandbox, which shares the processors"


async def orders(session: Session) -> None:
    """Add orders per second: placed, read and their links stored; nothing is sent meanwhile."""
    values = []
    async with session.world() as here:
        for round_ in range(session.sizes.rounds):
            # One mail an hour is as good as none.
            async with installation(
                here, f"orders-{round_}", CLAIMCAST_LIMITS__EMAIL="1/h"
            ) as place:
                serial = await place.paused(session.sizes.orders * _BATCH)
                async with place.workers(1):
                    values.append(session.sizes.orders / await ordered(place, serial))
    what = f"orders of {_BATCH} links, placed, read and stored"
    session.results.add("Around it", "orders", what, "orders/s", *values, note=_SANDBOX)


async def ordered(place: Installation, serial: str) -> float:
    """Resume a campaign; return the seconds until every batch has its links."""

    async def all_fulfilled() -> bool:
        batches = (await place.app.campaigns.snapshot(serial)).batches()
        return batches["planned"] + batches["ordered"] == 0

    started = time.monotonic()
    await place.resume(serial)
    await until(all_fulfilled, "orders", seconds=600)
    return time.monotonic() - started


async def sms(session: Session) -> None:
    """Add SMS per second."""
    values, people = [], session.sizes.sms
    async with session.world() as here:
        for round_ in range(session.sizes.rounds):
            async with installation(here, f"sms-{round_}") as place:
                files = await asyncio.to_thread(
                    write_files, place.directory, place.name("all"), people, channel="sms"
                )
                serial, _ = await place.submit(files)
                await place.pause(serial)
                async with place.workers(1):
                    values.append(people / (await place.drain(serial)).seconds)
    session.results.add("Around it", "sms", "SMS, 1 worker", "people/s", *values, note=_SANDBOX)
