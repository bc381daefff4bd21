"""
`make chaos CHAOS=recovery`: how long it takes until somebody goes on with what died.

Half of the times must be within the lease and a worker's start, which is measured in the same run.
"""

import argparse
import asyncio
import contextlib
import csv
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Container,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvloop

from tests.chaos.campaigns import Recipe, write
from tests.chaos.fleet import CONNECTIONS, Fleet, end
from tests.chaos.ledger import Job
from tests.support.waiting import wait_until

LEASES = (2, 30)
_RATE = 150  # mails per second: what two workers have in hand lasts for many seconds
_BATCH = 100  # people, as it comes
_PAIR = 2
_SATURATED = 3  # batches that a worker sends at once, of the six it may
_PATIENCE = 240.0  # for what always comes, however busy the machine is
_ROUND = 12  # seconds of one round beyond its lease, on a slow machine

FIRST = "a worker's death to another one in its first batch"
EACH = "a worker's death to others in each of its batches"
BACK = "Valkey's being back to the next message"
FLEET = "the fleet's death to others in each of its batches"
LAST = "the fleet's death to others in the last of its batches"
START = "the fleet's death to the first of the new workers, which were started at once"
STOP = "SIGTERM to the end of a worker with its hands full"
_ALLOWED = {FIRST: (1, 0), BACK: (0, 0), FLEET: (1, 0), LAST: (1, 0), STOP: (0, 4)}
"""What is judged: how many leases, and seconds for what is on the wire, beside a start."""


@dataclass(slots=True)
class Times:
    """Seconds, by what was measured and under leases of how many seconds."""

    found: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def add(self, what: str, lease: int, *seconds: float) -> None:
        self.found.setdefault((what, lease), []).extend(seconds)

    def ratio(self, what: str, lease: int) -> float | None:
        """Return the median as a share of what it may be; None for what is not judged."""
        started = self.found.get((START, lease))
        if what not in _ALLOWED or not started:
            return None
        leases, seconds = _ALLOWED[what]
        allowed = statistics.median(started) + leases * lease + seconds
        return statistics.median(self.found[what, lease]) / allowed

    def late(self) -> list[str]:
        """Return what took longer than it may, in words."""
        ratios = {(what, lease): self.ratio(what, lease) for what, lease in self.found}
        return [
            f"{what}, lease {lease} s: {ratio:.2f} times what it may take"
            for (what, lease), ratio in ratios.items()
            if ratio is not None and ratio > 1
        ]

    def as_table(self) -> str:
        """Return a table of Markdown."""
        lines = [
            "| from | lease | number | p50 | p99 | p50 / allowed |",
            "|---|---|---|---|---|---|",
        ]
        for (what, lease), seconds in self.found.items():
            ordered = sorted(seconds)
            p50, p99 = (ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.99))
            ratio = self.ratio(what, lease)
            share = "" if ratio is None else f"{ratio:.2f}"
            times = f"{p50:.1f} s | {p99:.1f} s | {share} |"
            lines.append(f"| {what} | {lease} s | {len(ordered)} | {times}")
        return "\n".join(lines)


class Pair(Fleet):
    """Two workers that send one campaign under leases of *lease* seconds."""

    def __init__(self, directory: Path, lease: int) -> None:
        rates = {"orders": "unlimited", "reads": "unlimited", "email": f"{_RATE}/s"}
        super().__init__(directory, 1, rates, lease)
        self.people: Sequence[str] = ()  # their addresses, in order

    async def saturated(self) -> Sequence[Sequence[Job]]:
        """
        Stop both workers once each sends several batches at once; return which.

        None of them was taken over: two deaths without progress mean quarantine.
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

    def addresses(self, jobs: Iterable[Job]) -> Iterator[str]:
        """Yield the address of everybody in these batches whose mailbox there is."""
        for job in jobs:
            people = self.people[_BATCH * (job.batch - 1) : _BATCH * job.batch]
            yield from (each for each in people if not each.startswith("bounce-"))

    def sent(self, by: str, since: float, addresses: Container[str] | None = None) -> int:
        """Count the messages that a worker has begun since then, to anybody or these only."""
        ours = (each for each in self.attempts if each.by == by and each.began > since)
        return sum(addresses is None or each.key in addresses for each in ours)


@contextlib.asynccontextmanager
async def at_work(directory: Path, lease: int, seconds: float) -> AsyncIterator[Pair]:
    """Run two workers on a campaign that lasts for at least so many *seconds*."""
    recipe = Recipe(id="recovery", share=1, channels=("email",))
    [campaign] = write(directory, round(_RATE * seconds), [recipe])
    async with Pair(directory, lease) as fleet:
        code, _ = await fleet.command("submit", str(campaign.toml), str(campaign.csv))
        assert code == 0, (directory / "commands.log").read_text("utf-8")
        with campaign.csv.open(encoding="utf-8", newline="") as rows:
            fleet.people = [row["email"] for row in csv.DictReader(rows)]
        fleet.start_workers(_PAIR)
        yield fleet


async def worker_killed(fleet: Pair, times: Times) -> Sequence[Job]:
    """
    Kill one of two workers; the other one, alone, goes on with its batches, and it is replaced.

    Returns those batches.
    """
    jobs, _ = await fleet.saturated()
    died = _kill(fleet.workers[:1])
    fleet.workers[1].send_signal(signal.SIGCONT)
    waits = await _taken_over(fleet, jobs, died)
    times.add(FIRST, fleet.lease, waits[0])
    times.add(EACH, fleet.lease, *waits)
    addresses = set(fleet.addresses(jobs))
    await wait_until(lambda: fleet.sent("worker-1", died, addresses), timeout=_PATIENCE)
    fleet.start_worker(0)
    return jobs


async def valkey_killed(fleet: Pair, times: Times) -> None:
    """Kill Valkey and start it again; both workers, the same processes, go on by themselves."""
    for worker, _ in zip(fleet.workers, await fleet.saturated(), strict=True):
        worker.send_signal(signal.SIGCONT)
    end(fleet.valkey)
    fleet.start_valkey()
    await fleet.valkey_answers()
    back = time.time()
    # What had been granted before may still leave; whatever is more was written down since.
    for name in ("worker-0", "worker-1"):
        more = partial(_more_than_was_granted, fleet, name, back)
        await wait_until(more, timeout=_PATIENCE)
    assert all(worker.poll() is None for worker in fleet.workers), "a worker ended meanwhile"
    first = next(each.began for each in fleet.attempts if each.began > back)
    times.add(BACK, fleet.lease, first - back)


async def worker_stopped(fleet: Pair, times: Times) -> None:
    """Ask a worker to stop while it sends; it settles what is on the wire, and is replaced."""
    for worker, _ in zip(fleet.workers, await fleet.saturated(), strict=True):
        worker.send_signal(signal.SIGCONT)
    stopped, asked = fleet.workers[0], time.time()
    stopped.terminate()
    await wait_until(lambda: stopped.poll() is not None, timeout=_PATIENCE)
    times.add(STOP, fleet.lease, time.time() - asked)
    fleet.start_worker(0)


def _more_than_was_granted(fleet: Pair, by: str, since: float) -> bool:
    return fleet.sent(by, since) > 2 * CONNECTIONS


async def fleet_killed(fleet: Pair, times: Times) -> Sequence[Job]:
    """Kill both workers, and start as many again, which go on; return the batches."""
    jobs = [job for each in await fleet.saturated() for job in each]
    died = _kill(fleet.workers)
    for index in range(_PAIR):
        fleet.start_worker(index)
    starting = asyncio.create_task(_started(fleet, died))
    waits = await _taken_over(fleet, jobs, died)
    times.add(FLEET, fleet.lease, *waits)
    times.add(LAST, fleet.lease, max(waits))
    times.add(START, fleet.lease, await starting)
    return jobs


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
    cases: list[Callable[[Pair, Times], Awaitable[object]]] = [worker_killed, fleet_killed]
    if lease == LEASES[0]:
        cases[1:1] = [valkey_killed, worker_stopped]
    async with at_work(directory, lease, rounds * len(cases) * (lease + _ROUND)) as fleet:
        for number in range(rounds):
            for case in cases:
                say(f"lease {lease} s, round {number + 1} of {rounds}: {case.__name__}")
                await case(fleet, times)


def main(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Measure what the command line asks for, print it as a table, and return 1 if it is late."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos recovery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="default: %(default)s")
    parser.add_argument(
        "--lease", type=int, action="append", help=f"in seconds; default: each of {LEASES}"
    )
    found, times = parser.parse_args(arguments), Times()
    directory = Path(tempfile.mkdtemp(prefix="claimcast-recovery-"))
    for lease in found.lease or LEASES:
        (folder := directory / str(lease)).mkdir()
        uvloop.run(measure(folder, lease, found.rounds, times, say))
    say("")
    print(times.as_table())  # noqa: T201 - the result
    shutil.rmtree(directory)
    for words in times.late():
        say(words)
    return 1 if times.late() else 0
