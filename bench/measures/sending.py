"""Side by side: the ceiling, claimcast with one and two workers, plain arq, the bare sink."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.measures.session import Session
from bench.report.figures import Points, rates, ratios
from bench.world.installation import CONNECTIONS, Drained, Installation, World, open_installation
from bench.world.processes import PYTHON, BenchProcess, run

_STEP_SECONDS = 0.25
_PER_SECOND = "people/s"
_PER_THOUSAND = "CPU s per 1,000"

THROUGHPUT = {
    "ceiling": "(a) aiosmtplib, uvloop, one message made before, 1 process",
    "claimcast_1": "(b) claimcast, submitted to finished, 1 worker",
    "claimcast_2": "(b) claimcast, submitted to finished, 2 workers",
    "arq": "(c) plain arq, one job per recipient, EmailMessage, 1 process",
    "sink": "what the sink takes from bare sockets, pipelined",
}
_RATIOS = {
    "claimcast_1": "1 worker to the ceiling, (b)/(a)",
    "claimcast_2": "2 workers to the ceiling, (b)/(a)",
    "sink": "the sink to the ceiling: above 1, the sink does not limit (a)",
}
_ARQ_NOTE = (
    "it is given the links and keeps no results; its server may sync once a second, while (b) "
    "orders the links and has every step on disk"
)

Samples = defaultdict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one campaign cost: CPU seconds of the workers and of Valkey, peak bytes of a worker."""

    drained: Drained
    cpu: float
    valkey_cpu: float
    peak: int


async def measure(session: Session) -> None:
    """Run all five, interleaved, and add throughput, ratios and what it cost."""
    samples: Samples = defaultdict(list)
    progress: dict[str, Points] = {}
    async with session.open_world() as world:
        for round_ in range(session.sizes.rounds):
            session.say(f"side by side, round {round_ + 1} of {session.sizes.rounds}")
            await _clients(world, samples, session.sizes.people, "ceiling", "aiosmtplib")
            for workers in (1, 2):
                drained = await _claimcast(
                    world, samples, session.sizes.people, workers=workers, round_=round_
                )
                label = f"{workers} worker{'s' if workers > 1 else ''}"
                progress[label] = rates(drained.progress, _STEP_SECONDS)
            await _arq(world, samples, session.sizes.arq_people, round_)
            await _clients(world, samples, session.sizes.people, "sink", "sockets")
        session.results.machine["sink"] = world.sink.name
        if world.sink.name == "own":
            note = "smtp-sink was not used: mail went to the sink of this project"
            session.results.notes.append(note)
    for label, points in progress.items():
        session.results.series[f"throughput, {label}"] = points
    _conclude(session, samples)


async def ceiling(world: World, mails: int, how: str = "aiosmtplib") -> tuple[float, float]:
    """Return the wall and CPU seconds of bench/measures/ceiling.py."""
    words = [str(world.sink.port), str(mails), str(CONNECTIONS), how]
    ended = await run(
        "ceiling", [PYTHON, "-m", "bench.measures.ceiling", *words], world.directory, {}
    )
    found = json.loads(ended.output)
    return found["seconds"], found["cpu"]


async def worked(installation: Installation, serial: str, workers: int) -> Cost:
    """Work a paused campaign with new workers, and count from when they are ready."""
    async with installation.workers(workers) as processes:
        return await worked_by(installation, serial, processes)


async def worked_by(
    installation: Installation, serial: str, processes: Sequence[BenchProcess]
) -> Cost:
    """Work a paused campaign with workers that run."""
    before = [process.cpu for process in processes]
    valkey = await installation.valkey_cpu()
    drained = await installation.drain(serial)
    valkey = await installation.valkey_cpu() - valkey
    cpu = sum(process.cpu for process in processes) - sum(before)
    return Cost(drained, cpu, valkey, max(process.peak for process in processes))


async def _clients(world: World, samples: Samples, mails: int, key: str, how: str) -> None:
    seconds, cpu = await ceiling(world, mails, how)
    samples[key].append(mails / seconds)
    samples[f"{key}_cpu"].append(cpu / mails * 1000)


async def _claimcast(
    world: World, samples: Samples, people: int, *, workers: int, round_: int
) -> Drained:
    async with open_installation(world, f"claimcast-{workers}-{round_}") as installation:
        before = await installation.memory()
        serial = await installation.paused(people)
        cost = await worked(installation, serial, workers)
        key, thousands = f"claimcast_{workers}", people / 1000
        samples[key].append(people / cost.drained.seconds)
        samples[f"{key}_cpu"].append(cost.cpu / thousands)
        samples[f"{key}_valkey_cpu"].append(cost.valkey_cpu / thousands)
        samples[f"{key}_peak"].append(cost.peak / 1e6)
        samples[f"{key}_memory"].append((await installation.memory() - before) / people)
        return cost.drained


async def _arq(world: World, samples: Samples, people: int, round_: int) -> None:
    async with open_installation(world, f"arq-{round_}") as installation:
        # In its favour: it promises nothing that would need more.
        server: Any = installation.app.redis  # the store itself never changes its settings
        await server.config_set("appendfsync", "everysec")
        words = [installation.app.url, str(world.sink.port), str(people), str(CONNECTIONS)]
        ended = await run(
            "arq", [PYTHON, "-m", "bench.measures.plain_arq", *words], installation.directory, {}
        )
        found = json.loads(ended.output)
        samples["arq"].append(people / found["seconds"])
        samples["arq_cpu"].append(found["cpu"] / people * 1000)


def _conclude(session: Session, samples: Samples) -> None:
    add = session.results.add
    for key, what in _RATIOS.items():
        values = ratios(samples[key], samples["ceiling"])
        add("Ratios", f"{key}_to_ceiling", what, "", *values)
    values = ratios(samples["claimcast_1"], samples["arq"])
    add("Ratios", "claimcast_to_arq", "1 worker to plain arq, (b)/(c)", "", *values)
    for key, what in THROUGHPUT.items():
        note = _ARQ_NOTE if key == "arq" else ""
        add("Throughput", key, what, _PER_SECOND, *samples[key], note=note)
    for key in ("ceiling", "claimcast_1", "claimcast_2", "arq"):
        add("Resources", f"{key}_cpu", THROUGHPUT[key], _PER_THOUSAND, *samples[f"{key}_cpu"])
    for n in (1, 2):
        key, of = f"claimcast_{n}", f"with {n} worker{'s' if n > 1 else ''}"
        what = f"Valkey {of}"
        add("Resources", f"{key}_valkey_cpu", what, _PER_THOUSAND, *samples[f"{key}_valkey_cpu"])
        add("Resources", f"{key}_peak", f"peak of a worker {of}", "MB", *samples[f"{key}_peak"])
    memory = samples["claimcast_1_memory"]
    add("Resources", "memory", "Valkey, when it is finished", "bytes per recipient", *memory)
