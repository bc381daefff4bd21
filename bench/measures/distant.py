"""A mail server that is not on this machine: what counts is how often a message travels."""

from bench.measures.sending import ceiling, worked
from bench.measures.session import Session
from bench.report.figures import ratios
from bench.world.installation import CONNECTIONS, open_installation
from bench.world.sinks import DISTANCE_MS


async def measure(session: Session) -> None:
    """Add throughput and the ratio to aiosmtplib over the same connections."""
    people, alone, ours = session.sizes.distant, list[float](), list[float]()
    async with session.open_world("distant") as world:
        for round_ in range(min(session.sizes.rounds, 3)):
            session.say(f"distant, round {round_ + 1}")
            alone.append(people / (await ceiling(world, people))[0])
            async with open_installation(world, f"distant-{round_}") as installation:
                cost = await worked(installation, await installation.paused(people), 1)
                ours.append(people / cost.drained.seconds)
    where = f"over {CONNECTIONS} connections, answers take {DISTANCE_MS} ms"
    add = session.results.add
    what = f"1 worker to aiosmtplib, {where}"
    note = "aiosmtplib travels four times per message, claimcast once (RFC 2920)"
    add("Ratios", "distant_ratio", what, "", *ratios(ours, alone), note=note)
    add("Throughput", "distant_ceiling", f"aiosmtplib {where}", "people/s", *alone)
    add("Throughput", "distant", f"claimcast {where}", "people/s", *ours)
