"""Whether campaigns leave room for each other."""

import asyncio

from bench.measures.edges import ordered
from bench.measures.session import Session
from bench.world.installation import Installation, World, open_installation
from pipeline.views.campaign_status import ended

_WATCH_SECONDS = 0.02


async def measure(session: Session) -> None:
    """Add how two equal campaigns share a worker, and what a limited one costs another."""
    shares, beside = [], []
    async with session.open_world() as world:
        for round_ in range(min(session.sizes.rounds, 3)):
            session.say(f"fair, round {round_ + 1}")
            async with open_installation(world, f"equal-{round_}") as installation:
                shares.append(await _equal(installation, session.sizes.fair))
            alone = await _unlimited(world, f"alone-{round_}", session.sizes.fair)
            with_limited = await _unlimited(
                world, f"beside-{round_}", session.sizes.fair, limited=True
            )
            beside.append(alone / with_limited)
    add = session.results.add
    what = "two equal campaigns: sent by the slower when the faster is done"
    add("Fair", "equal", what, "of its people", *shares)
    what = "a campaign beside one that may send 5/s: its speed to that alone"
    add("Fair", "limited", what, "", *beside)


async def _equal(installation: Installation, people: int) -> float:
    """Return the share of the slower campaign that is sent when the faster is finished."""
    serials = [await installation.paused(people, label) for label in ("first", "second")]
    async with installation.workers(1):
        for serial in serials:
            await installation.resume(serial)
        while True:
            found = [await installation.app.campaigns.snapshot(serial) for serial in serials]
            if any(ended(snapshot) for snapshot in found):
                return min(snapshot.deliveries()["sent"] for snapshot in found) / people
            await asyncio.sleep(_WATCH_SECONDS)


async def _unlimited(world: World, name: str, people: int, *, limited: bool = False) -> float:
    """Return the seconds that a campaign takes, if *limited* beside a limited one before it."""
    async with open_installation(world, name) as installation:
        other = await installation.paused(people, "limited", "5/s") if limited else None
        serial = await installation.paused(people, "unlimited")
        async with installation.workers(1):
            if other is not None:
                # not limited, and none of the other one's business
                await ordered(installation, other)
            return (await installation.drain(serial)).seconds
