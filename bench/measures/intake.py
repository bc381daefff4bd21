"""How fast `submit` takes people in: the whole command, from its start to its exit."""

import asyncio
from collections import defaultdict

from bench.measures.session import Session
from bench.world.installation import open_installation
from bench.world.people import write_files

_KINDS = {"email": "rows with e-mail", "phones": "rows with e-mail and phone"}


async def measure(session: Session) -> None:
    """Add rows per second, CPU seconds and peak memory of `submit`, for both kinds of rows."""
    samples: defaultdict[str, list[float]] = defaultdict(list)
    rows = session.sizes.rows
    async with session.open_world() as world:
        for round_ in range(session.sizes.rounds):
            session.say(f"intake, round {round_ + 1} of {session.sizes.rounds}")
            for kind in _KINDS:
                async with open_installation(world, f"intake-{kind}-{round_}") as installation:
                    files = await asyncio.to_thread(
                        write_files,
                        installation.directory,
                        installation.name("all"),
                        rows,
                        phones=kind == "phones",
                    )
                    _, spent = await installation.submit(files)
                    samples[f"intake_{kind}"].append(rows / spent.seconds)
                    samples[f"intake_{kind}_cpu"].append(spent.cpu / rows * 1000)
                    samples[f"intake_{kind}_peak"].append(spent.peak / 1e6)
    for kind, what in _KINDS.items():
        add, key = session.results.add, f"intake_{kind}"
        add("Intake", key, f"submit, {rows:,} {what}", "rows/s", *samples[key])
        cpu, peak = samples[f"{key}_cpu"], samples[f"{key}_peak"]
        add("Intake", f"{key}_cpu", f"submit, {what}", "CPU s per 1,000", *cpu)
        add("Intake", f"{key}_peak", f"submit, {what}: peak memory", "MB", *peak)
