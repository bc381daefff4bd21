"""The small measurement that CI repeats: the ceiling and one worker in turn, three times."""

from bench.measures.sending import ceiling
from bench.measures.session import Session
from bench.report.figures import ratios
from bench.report.recorded import KEY
from bench.world.installation import World, open_installation

PEOPLE = 4_000
ROUNDS = 3


async def measure(session: Session) -> None:
    """Add the ratio that `python -m bench.check` compares with."""
    async with session.open_world() as world:
        values = await small_ratios(world, "small")
        what = f"1 worker to the ceiling, {PEOPLE:,} people (what CI compares with)"
        session.results.add("Ratios", KEY, what, "", *values)


async def small_ratios(world: World, name: str) -> tuple[float, ...]:
    """
    Return one ratio per round.

    The campaigns are submitted before and worked by one process: starting it takes longer than
    the rounds.
    """
    async with open_installation(world, name) as installation:
        serials = [await installation.paused(PEOPLE, f"{n}") for n in range(ROUNDS)]
        ours, theirs = [], []
        async with installation.workers(1):
            for serial in serials:
                seconds, _ = await ceiling(world, PEOPLE)
                theirs.append(PEOPLE / seconds)
                ours.append(PEOPLE / (await installation.drain(serial)).seconds)
        return ratios(ours, theirs)
