"""Where a worker's time goes: sampled by py-spy, sorted by the part of the program."""

import asyncio
import contextlib
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.measures.sending import Cost, worked_by
from bench.measures.session import Session
from bench.world.installation import Installation, open_installation
from bench.world.processes import BenchError, BenchProcess

_SECTION = "Where the time goes"
_PER_SECOND = "200"
_REST = "event loop, tasks, and the rest"
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("templates", ("domain/templates",)),
    ("MIME", ("email/mime", "email/headers", "email/address")),
    ("SMTP", ("channels/email",)),
    (
        "ordering, reading links",
        (
            *("pipeline/rewards", "stages/order", "stages/await_fulfilment"),
            *("httpx/", "httpcore/", "h11/"),
        ),
    ),
    ("limiter", ("store/rate_limiter", "stages/permits")),
    (
        "decrypting people and links",
        ("domain/vault", "verification/sealed_contents", "store/formats/recipient_codec"),
    ),
    ("ledger: intents, results, leases", ("pipeline/store", "redis/", "sending/result_writer")),
    (
        "choosing and handing over",
        (
            *("stages/distribute", "sending/intent_writes", "sending/dispatcher"),
            "sending/unrecorded_window",
        ),
    ),
    ("arq, executor", ("arq/", "worker/executor", "execution/unit_runner")),
)
"""A sample belongs to the first part that its innermost frames name."""


async def measure(session: Session) -> None:
    """Add microseconds of one worker and of Valkey per recipient; needs py-spy."""
    program = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if program is None:
        msg = f"py-spy is not installed: {sys.executable} -m pip install py-spy"
        raise BenchError(msg)
    people = session.sizes.people
    async with session.open_world() as world, open_installation(world, "profile") as installation:
        serial = await installation.paused(people)
        file = installation.directory / "samples.txt"
        async with installation.workers(1) as workers, _sampled(program, workers[0], file):
            cost = await worked_by(installation, serial, workers)
        samples = Counter(_samples(file.read_text("utf-8").splitlines()))
        _conclude(session, samples, cost, people)
        await _valkey(session, installation, cost, people)


@asynccontextmanager
async def _sampled(program: str, worker: BenchProcess, file: Path) -> AsyncIterator[None]:
    """Sample *worker* until the block ends; the worker is not stopped for it."""
    command = [program, "record", "--pid", str(worker.pid), "--nonblocking"]
    command += ["--rate", _PER_SECOND, "--format", "raw", "--output", str(file)]
    spy = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            spy.send_signal(2)  # it writes what it has
        await spy.wait()


def part_of(frames: Iterable[str]) -> str:
    """Return the part that a stack belongs to; *frames* from the outermost on."""
    for frame in reversed(list(frames)):
        for part, files in PARTS:
            if any(file in frame for file in files):
                return part
    return _REST


def _samples(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        stack, _, number = line.rpartition(" ")
        yield from [part_of(stack.split(";"))] * int(number)


def _conclude(session: Session, samples: Counter[str], cost: Cost, people: int) -> None:
    cpu = cost.cpu / people * 1e6
    names = [*(part for part, _ in PARTS), _REST]
    note = "by samples of the running worker; a system call counts where it was made"
    for number, name in enumerate(names):
        value = cpu * samples[name] / samples.total()
        _add(session, f"part_{number}", f"worker: {name}", value)
    _add(session, "worker", "worker, all of its CPU", cpu, note=note)


async def _valkey(session: Session, installation: Installation, cost: Cost, people: int) -> None:
    scripts = (await installation.app.redis.info("commandstats"))["cmdstat_evalsha"]
    note = f"{scripts['calls'] / people * 1000:.0f} calls for 1,000 people"
    _add(session, "scripts", "Valkey: our scripts", scripts["usec"] / people, note=note)
    _add(session, "valkey", "Valkey, all of its CPU", cost.valkey_cpu / people * 1e6)


def _add(session: Session, key: str, what: str, value: float, note: str = "") -> None:
    session.results.add(_SECTION, f"profile_{key}", what, "µs per recipient", value, note=note)
