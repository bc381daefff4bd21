"""The small measurement that CI repeats: the ceiling and one worker in turn, three times."""

from bench.measures.sending import ceiling
from bench.measures.session import Session
from bench.report.figures import ratios
from bench.report.recorded import KEY
from bench.world.installation import World, installation

PEOPLE = 4_000
ROUNDS = 3


async def measure(session: Session) -> None:
    """Add the ratio that `python -m bench.check` compares with."""
    async with session.world() as here:
        values = await small_ratios(here, "small")
        what = f"1 worker to the ceiling, {PEOPLE:,} people (what CI compares with)"
        session.results.add("Ratios", KEY, what, "", *values)


async def small_ratios(here: World, name: str) -> tuple[float, ...]:
    """
    Return one ratio per round.

    The campaigns are submitted before and worked by one process: starting it takes longer than
    the rounds.
    """
    async with installation(here, name) as place:
        serials = [await place.paused(PEOPLE, f"{n}") for n in range(ROUNDS)]
        ours, theirs = [], []
        async with place.workers(1):
            for serial in serials:
                seconds, _ = await ceiling(here, PEOPLE)
                theirs.append(PEOPLE / seconds)
                ours.append(PEOPLE / (await place.drain(serial)).seconds)
        return ratios(ours, theirs)
