"""Whether campaigns leave room for each other."""

import asyncio

from bench.measures.edges import ordered
from bench.measures.session import Session
from bench.world.installation import Installation, World, installation
from pipeline.views.campaign_status import ended

_WATCH_SECONDS = 0.02


async def measure(session: Session) -> None:
    """Add how two equal campaigns share a worker, and what a limited one costs another."""
    shares, beside = [], []
    async with session.world() as here:
        for round_ in range(min(session.sizes.rounds, 3)):
            session.say(f"fair, round {round_ + 1}")
            async with installation(here, f"equal-{round_}") as place:
                shares.append(await _equal(place, session.sizes.fair))
            alone = await _unlimited(here, f"alone-{round_}", session.sizes.fair)
            with_limited = await _unlimited(
                here, f"beside-{round_}", session.sizes.fair, limited=True
            )
            beside.append(alone / with_limited)
    add = session.results.add
    what = "two equal campaigns: sent by the slower when the faster is done"
    add("Fair", "equal", what, "of its people", *shares)
    what = "a campaign beside one that may send 5/s: its speed to that alone"
    add("Fair", "limited", what, "", *beside)


async def _equal(place: Installation, people: int) -> float:
    """Return the share of the slower campaign that is sent when the faster is finished."""
    serials = [await place.paused(people, label) for label in ("first", "second")]
    async with place.workers(1):
        for serial in serials:
            await place.resume(serial)
        while True:
            found = [await place.app.campaigns.snapshot(serial) for serial in serials]
            if any(ended(snapshot) for snapshot in found):
                return min(snapshot.deliveries()["sent"] for snapshot in found) / people
            await asyncio.sleep(_WATCH_SECONDS)


async def _unlimited(here: World, name: str, people: int, *, limited: bool = False) -> float:
    """Return the seconds that a campaign takes, if *limited* beside a limited one before it."""
    async with installation(here, name) as place:
        other = await place.paused(people, "limited", "5/s") if limited else None
        serial = await place.paused(people, "unlimited")
        async with place.workers(1):
            if other is not None:
                await ordered(place, other)  # not limited, and none of the other one's business
            return (await place.drain(serial)).seconds
