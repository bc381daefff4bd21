"""`make chaos CHAOS=recovery`: how long it takes until somebody goes on with what died."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from tests.chaos.campaigns import Recipe, write
from tests.chaos.fleet import Fleet, end
from tests.chaos.ledger import Job
from tests.support.waiting import wait_until

LEASES = (2, 30)
_RATE = 150  # mails per second: what two workers have in hand lasts for many seconds
_PAIR = 2
_SATURATED = 3  # batches that a worker sends at once, of the six it may
_PATIENCE = 60.0
_ROUND = 12  # seconds of one round beyond its lease, on a slow machine


@dataclass(slots=True)
class Times:
    """Seconds, by what was measured; `leases` are those of the workers."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, *seconds: float) -> None:
        self.found.setdefault(what, []).extend(seconds)

    def as_table(self) -> str:
        """Return a table of Markdown."""
        lines = ["| from | number | p50 | p99 |", "|---|---|---|---|"]
        for what, seconds in self.found.items():
            ordered = sorted(seconds)
            p50, p99 = (ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.99))
            lines.append(f"| {what} | {len(ordered)} | {p50:.1f} s | {p99:.1f} s |")
        return "\n".join(lines)


class Pair(Fleet):
    """Two workers that send one campaign under leases of *lease* seconds."""

    def __init__(self, directory: Path, lease: int) -> None:
        rates = {"orders": "unlimited", "reads": "unlimited", "email": f"{_RATE}/s"}
        super().__init__(directory, 1, rates)
        self.lease = lease

    def environment(self, place: int | None) -> dict[str, str]:
        return {**super().environment(place), "CLAIMCAST_LEASE_SECONDS": str(self.lease)}

    async def saturated(self) -> Sequence[Sequence[Job]]:
        """
        Stop both workers once each sends several batches at once; return which.

        None of them was taken over: two deaths without progress make a suspect, which runs alone.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            for worker in self.workers:
                worker.send_signal(signal.SIGSTOP)
            found = [await self._sends(worker.pid) for worker in self.workers]
            clean = [await self.ledger.progressed(jobs) for jobs in found]
            if all(clean) and all(len(jobs) >= _SATURATED for jobs in found):
                return found
            for worker in self.workers:
                worker.send_signal(signal.SIGCONT)
            assert time.monotonic() < deadline, "the workers do not get enough to do"
            await asyncio.sleep(0.05)

    async def _sends(self, pid: int) -> Sequence[Job]:
        return [job for job in await self.ledger.in_hand(pid) if job.lane == "s"]


@contextlib.asynccontextmanager
async def at_work(directory: Path, lease: int, seconds: float) -> AsyncIterator[Pair]:
    """Run two workers on a campaign that lasts for at least so many *seconds*."""
    recipe = Recipe(id="recovery", share=1, channels=("email",))
    [campaign] = write(directory, round(_RATE * seconds), [recipe])
    async with Pair(directory, lease) as fleet:
        code, _ = await fleet.command("submit", str(campaign.toml), str(campaign.csv))
        assert code == 0, (directory / "commands.log").read_text("utf-8")
        fleet.start_workers(_PAIR)
        yield fleet


async def worker_killed(fleet: Pair, times: Times) -> None:
    """Kill one of two workers; the other one goes on with its batches, and it is replaced."""
    jobs, _ = await fleet.saturated()
    died = _kill(fleet.workers[:1])
    fleet.workers[1].send_signal(signal.SIGCONT)
    waits = await _taken_over(fleet, jobs, died)
    times.add(
        f"a worker's death to another one in its first batch, lease {fleet.lease} s", waits[0]
    )
    times.add(f"a worker's death to others in each of its batches, lease {fleet.lease} s", *waits)
    fleet.start_worker(0)


async def valkey_killed(fleet: Pair, times: Times) -> None:
    """Kill Valkey and start it again; the workers go on by themselves."""
    for worker, _ in zip(fleet.workers, await fleet.saturated(), strict=True):
        worker.send_signal(signal.SIGCONT)
    end(fleet.valkey)
    fleet.start_valkey()
    await fleet.valkey_answers()
    back = time.time()
    await wait_until(lambda: fleet.attempts[-1].began > back, timeout=_PATIENCE)
    first = next(each.began for each in fleet.attempts if each.began > back)
    times.add("Valkey's being back to the next message", first - back)


async def fleet_killed(fleet: Pair, times: Times) -> None:
    """Kill both workers, and start as many again."""
    jobs = [job for each in await fleet.saturated() for job in each]
    died = _kill(fleet.workers)
    for place in range(_PAIR):
        fleet.start_worker(place)
    starting = asyncio.create_task(_started(fleet, died))
    waits = await _taken_over(fleet, jobs, died)
    times.add(f"the fleet's death to others in each of its batches, lease {fleet.lease} s", *waits)
    times.add(
        "the fleet's death to the first of the new workers, which were started at once",
        await starting,
    )


async def _started(fleet: Pair, died: float) -> float:
    """Return how long it took until the first new worker was there."""
    pids = [worker.pid for worker in fleet.workers]

    async def any_there() -> bool:
        return any([await fleet.ledger.queue_of(pid) for pid in pids])

    await wait_until(any_there, timeout=_PATIENCE)
    return time.time() - died


def _kill(workers: Sequence[subprocess.Popen[bytes]]) -> float:
    for worker in workers:
        end(worker)
    return time.time()


async def _taken_over(fleet: Pair, jobs: Sequence[Job], died: float) -> list[float]:
    async with asyncio.timeout(fleet.lease + _PATIENCE):
        return sorted(await asyncio.gather(*(fleet.ledger.taken_over(job, died) for job in jobs)))


async def measure(
    directory: Path, lease: int, rounds: int, times: Times, say: Callable[[str], None]
) -> None:
    """Do everything *rounds* times; what does not depend on the lease only under the first one."""
    cases = [worker_killed, fleet_killed]
    if lease == LEASES[0]:
        cases.insert(1, valkey_killed)
    async with at_work(directory, lease, rounds * len(cases) * (lease + _ROUND)) as fleet:
        for number in range(rounds):
            for case in cases:
                say(f"lease {lease} s, round {number + 1} of {rounds}: {case.__name__}")
                await case(fleet, times)


def main(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Measure what the command line asks for, and print it as a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos recovery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="default: %(default)s")
    parser.add_argument(
        "--lease", type=int, action="append", help=f"in seconds; default: each of {LEASES}"
    )
    found, times = parser.parse_args(arguments), Times()
    directory = Path(tempfile.mkdtemp(prefix="claimcast-recovery-"))
    for lease in found.lease or LEASES:
        (place := directory / str(lease)).mkdir()
        uvloop.run(measure(place, lease, found.rounds, times, say))
    say("")
    print(times.as_table())  # noqa: T201 - the result
    shutil.rmtree(directory)
    return 0
