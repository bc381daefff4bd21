"""A million people: how long, how much memory, and how claimcast is to use meanwhile."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bench.measures.session import Session
from bench.report.figures import rates
from bench.world.installation import Installation, open_installation
from bench.world.people import write_files
from bench.world.processes import BenchProcess
from pipeline.domain.tasks import stop
from pipeline.views.campaign_status import as_json, ended

_STEP_SECONDS = 2.0
_LOOKS = 20
_COMMANDS = 3
_PAUSE_SECONDS = 3.0
_WATCH_SECONDS = 0.005
_SMALL = 10

Add = Callable[..., None]


async def measure(session: Session) -> None:
    """Add all that is promised of a million people; with `--quick` they are fewer."""

    def add(key: str, what: str, unit: str, *values: float, note: str = "") -> None:
        session.results.add("Million", f"million_{key}", what, unit, *values, note=note)

    people = session.sizes.million
    async with session.open_world() as world, open_installation(world, "million") as installation:
        before = await installation.memory()
        session.say(f"{people:,} people are written down and submitted")
        files = await asyncio.to_thread(
            write_files, installation.directory, installation.name("all"), people
        )
        serial, spent = await installation.submit(files)
        add("submit", f"submit, {people:,} people", "s", spent.seconds)
        add("submit_peak", "peak memory of submit", "MB", spent.peak / 1e6)
        await installation.pause(serial)
        async with installation.workers(1) as [worker]:
            session.say("they are sent")
            await _send(session, installation, serial, worker, add)
        unit = "bytes per recipient"
        at_last = (await installation.memory() - before) / people
        most = (await installation.memory("used_memory_peak") - before) / people
        add("memory", "Valkey, when all is done", unit, at_last)
        add("memory_peak", "Valkey, at its fullest", unit, most)
        session.say("the report")
        await _report(installation, people, add)


async def _send(
    session: Session, installation: Installation, serial: str, worker: BenchProcess, add: Add
) -> None:
    """Work it with one worker, looking, submitting another and pausing on the way."""
    people = session.sizes.million
    progress: list[tuple[float, int]] = []
    watching = asyncio.create_task(_watch(installation, serial, progress))
    started, cpu = time.monotonic(), worker.cpu
    try:
        await installation.resume(serial)
        await installation.sent(serial, people // 10)
        await _pause(installation, serial, add)
        await _small_campaign(installation, add)
        await _look(installation, serial, add)
        if ended(await installation.app.campaigns.snapshot(serial)):
            session.results.notes.append("the million were too few: some of it came after its end")
        snapshot = await installation.finished(serial)
    finally:
        await stop(watching)
    seconds = (snapshot.finished_ms - snapshot.submitted_ms) / 1000
    rate = people / (time.monotonic() - started)
    whole = "from submitted to finished, 1 worker, with all that was done to it meanwhile"
    add("seconds", whole, "s", seconds)
    add("rate", "sent by 1 worker, that included", "people/s", rate)
    add("cpu", "CPU of the worker", "CPU s per 1,000", (worker.cpu - cpu) / people * 1000)
    add("peak", "peak memory of the worker", "MB", worker.peak / 1e6)
    session.results.series["million, 1 worker"] = rates(progress, _STEP_SECONDS)


async def _watch(
    installation: Installation, serial: str, progress: list[tuple[float, int]]
) -> None:
    """Note how many are sent, until cancelled."""
    started = time.monotonic()
    while True:
        snapshot = await installation.app.campaigns.snapshot(serial)
        progress.append((time.monotonic() - started, snapshot.deliveries()["sent"]))
        await asyncio.sleep(_STEP_SECONDS / 10)


async def _look(installation: Installation, serial: str, add: Add) -> None:
    """Measure `status` while it runs: the reading itself, and the whole command."""
    readings = []
    for _ in range(_LOOKS):
        started = time.perf_counter()
        as_json(await installation.app.campaigns.snapshot(serial))
        readings.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(_WATCH_SECONDS * 10)
    add("status", "status while it runs, read by an open process", "ms", *readings)
    commands = [
        await installation.command("status", installation.name("all")) for _ in range(_COMMANDS)
    ]
    what = "the command status while it runs, Python's start included"
    add("status_command", what, "ms", *(spent.seconds * 1000 for spent in commands))


async def _small_campaign(installation: Installation, add: Add) -> None:
    """Measure a campaign of ten, submitted behind the large one."""
    files = write_files(installation.directory, installation.name("small"), _SMALL)
    serial, _ = await installation.submit(files)
    snapshot = await installation.finished(serial)
    seconds = (snapshot.finished_ms - snapshot.submitted_ms) / 1000
    what = f"{_SMALL} people submitted meanwhile, until they are finished"
    add("small", what, "s", seconds)


async def _pause(installation: Installation, serial: str, add: Add) -> None:
    """Measure how long after `pause` the last mail left; then let it go on."""
    started = last = time.monotonic()
    await installation.pause(serial)
    sent = -1
    while time.monotonic() < started + _PAUSE_SECONDS:
        now = (await installation.app.campaigns.snapshot(serial)).deliveries()["sent"]
        if now != sent:
            sent, last = now, time.monotonic()
        await asyncio.sleep(_WATCH_SECONDS)
    await installation.resume(serial)
    add("pause", "pause, until the last result is recorded", "s", last - started)


async def _report(installation: Installation, people: int, add: Add) -> None:
    output = installation.directory / "report.csv"
    spent = await installation.command("report", installation.name("all"), "--output", str(output))
    rows = await asyncio.to_thread(_lines, output) - 1
    add("report", f"report, {rows:,} rows of {people:,}", "s", spent.seconds)
    add("report_peak", "peak memory of report", "MB", spent.peak / 1e6)


def _lines(file: Path) -> int:
    with file.open("rb") as content:
        return sum(1 for _ in content)
