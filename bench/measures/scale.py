"""What one recipient costs in campaigns of different size."""

from statistics import median

from bench.measures.sending import worked_by
from bench.measures.session import Session
from bench.world.installation import World, open_installation

_TIMES = 3
_LARGE = 50_000
_FIRST = 100


async def measure(session: Session) -> None:
    """Add cost per recipient by size, and how far the extremes are apart."""
    lines: dict[str, list[tuple[float, float]]] = {"wall": [], "cpu": [], "memory": []}
    async with session.open_world() as world:
        for people in session.sizes.scale:
            session.say(f"scale, {people:,} people")
            times = 1 if people > _LARGE else _TIMES
            costs = [await _cost(world, people, n) for n in range(times)]
            for key, line in lines.items():
                line.append((people, median(cost[key] for cost in costs)))
            unit = "µs per recipient"
            add, what = session.results.add, f"{people:,} people"
            add("Scale", f"wall_{people}", f"{what}: time", unit, *(c["wall"] for c in costs))
            what = f"{what}: CPU of worker and Valkey"
            add("Scale", f"cpu_{people}", what, unit, *(c["cpu"] for c in costs))
    session.results.series["cost, time"] = lines["wall"]
    session.results.series["cost, CPU"] = lines["cpu"]
    session.results.series["memory, when it is finished"] = lines["memory"]
    for key, what in (("wall", "time"), ("cpu", "CPU")):
        found = [value for _, value in lines[key]]
        text = f"{what} per recipient, the dearest size to the cheapest"
        session.results.add("Scale", f"{key}_spread", text, "", max(found) / min(found))


async def _cost(world: World, people: int, round_: int) -> dict[str, float]:
    """Return microseconds of time and of CPU, and bytes of Valkey's memory, per recipient."""
    async with open_installation(world, f"scale-{people}-{round_}") as installation:
        first = await installation.paused(_FIRST, "first")
        memory = -await installation.memory()
        serial = await installation.paused(people)
        memory += await installation.memory()
        async with installation.workers(1) as workers:
            # What a worker does once in its life is not a matter of a campaign's size.
            await installation.drain(first)
            memory -= await installation.memory()
            cost = await worked_by(installation, serial, workers)
            memory += await installation.memory()
        return {
            "wall": cost.drained.seconds / people * 1e6,
            "cpu": (cost.cpu + cost.valkey_cpu) / people * 1e6,
            "memory": memory / people,
        }
