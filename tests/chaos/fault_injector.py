"""Carries out the monkey's plan, and keeps account of what it did."""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from tests.chaos.fleet import Fleet, end
from tests.chaos.ledger import Job
from tests.chaos.monkey import WORKERS, Event
from tests.chaos.proxying.proxy import Proxy

_AIM_SECONDS = 8.0
_WATCH = 0.1
_LAST_LOOK = 2.0
_EXPECTED_EXITS = frozenset({3})
"""A worker that starts while Redis is away exits with 3, and its supervisor starts it again."""

_LANES = {"o": "ordering", "r": "reading", "s": "sending"}


@dataclass(slots=True)
class Account:
    """
    What was done; times are seconds since the epoch.

    `done` holds every event as [start, end, kind, what it hit]; `recovery`, for each batch that a
    worker held when it died, what was killed and doing what, when, and the seconds until another
    worker had claimed it.
    """

    done: list[tuple[float, float, str, str]] = field(default_factory=list)
    freezes: list[dict[str, Any]] = field(default_factory=list)
    troubles: list[dict[str, Any]] = field(default_factory=list)
    recovery: list[tuple[str, float, float]] = field(default_factory=list)
    valkey_back: list[float] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    never_taken_over: list[str] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)
    cut: int = 0

    def trouble(self, kind: str, by: str, start: float, end: float) -> None:
        self.troubles.append({"kind": kind, "by": by, "start": start, "end": end})

    def as_json(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


class FaultInjector:
    """Applies events to *fleet*, at once where they do not concern the same thing."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.account = Account()
        self._worker_locks = [asyncio.Lock() for _ in range(WORKERS)]
        self._valkey = asyncio.Lock()
        self._serve = asyncio.Lock()
        self._watching: set[asyncio.Task[None]] = set()
        self._jitter = random.Random(0)  # noqa: S311 - how often it looks again

    async def run(self, events: Sequence[Event]) -> None:
        """Let everything happen at its time; return when all of it is over."""
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for event in events:
                await asyncio.sleep(max(0.0, start + event.at - time.monotonic()))
                group.create_task(self._happen(event))

    async def calm(self) -> None:
        """End every fault."""
        for proxies in self._fleet.proxies.values():
            for proxy in proxies:
                proxy.calm()
        for switches in ("faults", "smtp-faults", "sms-faults"):
            await self._fleet.switch(switches, _off(await self._fleet.account(switches)))

    async def watched(self) -> None:
        """Take note of the batches of dead workers that nobody took over to the very end."""
        if self._watching:
            _, left = await asyncio.wait(self._watching, timeout=_LAST_LOOK)
            for task in left:
                self.account.never_taken_over.append(task.get_name())
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def watch_processes(self) -> None:
        """Start again for ever what ends by itself, and take note of it."""
        while True:
            await asyncio.sleep(_WATCH)
            for index, lock in enumerate(self._worker_locks):
                worker = self._fleet.workers[index]
                if not lock.locked() and worker.poll() is not None:
                    self._note_exit(f"worker-{index}", worker.returncode)
                    await asyncio.sleep(_WATCH)
                    self._fleet.start_worker(index)
            for name, lock, process, restart in (
                ("serve", self._serve, self._fleet.serve, self._fleet.start_serve),
                ("valkey", self._valkey, self._fleet.valkey, self._fleet.start_valkey),
            ):
                if not lock.locked() and process.poll() is not None:
                    self._note_exit(name, process.returncode)
                    restart()

    def _note_exit(self, name: str, code: int) -> None:
        if code not in _EXPECTED_EXITS:
            self.account.exits.append(f"{name} exited by itself with status {code}")
        self.account.hits[f"exits with {code}"] += 1

    async def _happen(self, event: Event) -> None:
        begun = time.time()
        what = await getattr(self, f"_{event.kind}")(event)
        self.account.done.append((begun, time.time(), event.kind, what or ""))

    # Workers

    async def _kill_worker(self, event: Event, *, skewed: int = 0) -> str:
        async with self._aimed(event) as (index, jobs):
            end(self._fleet.workers[index])
            self._note_deaths(event.kind, "worker", [index], jobs)
            self._fleet.start_worker(index, skewed=skewed)
            return self._hit("kills", jobs)

    async def _skew_worker(self, event: Event) -> str:
        await self._kill_worker(event, skewed=event.number)
        return f"{event.number:+d} s"

    async def _freeze_worker(self, event: Event) -> str:
        async with self._aimed(event) as (index, jobs):
            start, name = time.time(), f"worker-{index}"
            await asyncio.sleep(event.seconds)
            over = time.time()
            self._fleet.workers[index].send_signal(signal.SIGCONT)
            self.account.freezes.append({"by": name, "start": start, "end": over})
            self.account.trouble(event.kind, name, start - 1, over + 1)
            return self._hit("freezes", jobs)

    async def _kill_fleet(self, event: Event) -> str:
        async with contextlib.AsyncExitStack() as stack:
            for lock in self._worker_locks:
                await stack.enter_async_context(lock)
            jobs = await self._saturated()
            for worker in self._fleet.workers:
                end(worker)
            self._note_deaths(event.kind, "whole fleet", range(WORKERS), jobs)
            await asyncio.sleep(event.seconds)
            for index in range(WORKERS):
                self._fleet.start_worker(index)
            return self._hit("fleet", jobs)

    async def _saturated(self) -> Sequence[Job]:
        """Stop all workers, if possible while half of them are at work; return their claims."""
        until = time.monotonic() + _AIM_SECONDS
        while True:
            found = [await self._stopped(index) for index in range(WORKERS)]
            if sum(map(bool, found)) >= WORKERS / 2 or time.monotonic() > until:
                return [job for jobs in found for job in jobs]
            for worker in self._fleet.workers:
                worker.send_signal(signal.SIGCONT)
            await asyncio.sleep(self._jitter.uniform(0.02, 0.1))

    @contextlib.asynccontextmanager
    async def _aimed(self, event: Event) -> AsyncIterator[tuple[int, Sequence[Job]]]:
        """
        Stop a worker that has claimed work of the wanted lane; yield its index and its claims.

        The first one from the event's on is taken; after some seconds the event's own, whatever it
        does. For the time of the block nobody else touches it.
        """
        until = time.monotonic() + _AIM_SECONDS
        while time.monotonic() < until:
            for n in range(WORKERS):
                index = (event.worker + n) % WORKERS
                if self._worker_locks[index].locked():
                    continue
                async with self._worker_locks[index]:
                    jobs = await self._stopped(index)
                    if any(job.lane == event.lane for job in jobs):
                        yield index, jobs
                        return
                    self._fleet.workers[index].send_signal(signal.SIGCONT)
            await asyncio.sleep(self._jitter.uniform(0.02, 0.1))
        async with self._worker_locks[event.worker]:
            yield event.worker, await self._stopped(event.worker)

    async def _stopped(self, index: int) -> Sequence[Job]:
        worker = self._fleet.workers[index]
        worker.send_signal(signal.SIGSTOP)
        return await self._fleet.ledger.in_hand(worker.pid)

    def _note_deaths(
        self, kind: str, whose: str, indexes: Iterable[int], jobs: Sequence[Job]
    ) -> None:
        died = time.time()
        for index in indexes:
            self.account.trouble(kind, f"worker-{index}", died - 1, died)
        for job in jobs:
            task = asyncio.create_task(self._time(whose, job, died), name=f"{job.key}, {job.lane}")
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)

    async def _time(self, whose: str, job: Job, died: float) -> None:
        seconds = await self._fleet.ledger.taken_over(job, died)
        self.account.recovery.append((f"{whose}, {_LANES[job.lane]}", died, seconds))

    def _hit(self, what: str, jobs: Sequence[Job]) -> str:
        lanes = sorted({_LANES[job.lane] for job in jobs})
        for lane in lanes or ["nothing"]:
            self.account.hits[f"{what} during {lane}"] += 1
        return ", ".join(lanes) or "nothing in hand"

    # Servers

    async def _kill_valkey(self, event: Event) -> str:
        async with self._outage(event.kind):
            end(self._fleet.valkey)
            await asyncio.sleep(event.seconds)
            self._fleet.start_valkey()
            await self._fleet.valkey_answers()
            self.account.valkey_back.append(time.time())
        return f"down for {event.seconds:.1f} s"

    async def _freeze_valkey(self, event: Event) -> str:
        async with self._outage(event.kind):
            self._fleet.valkey.send_signal(signal.SIGSTOP)
            await asyncio.sleep(event.seconds)
            self._fleet.valkey.send_signal(signal.SIGCONT)
        return f"for {event.seconds:.1f} s"

    @contextlib.asynccontextmanager
    async def _outage(self, kind: str) -> AsyncIterator[None]:
        async with self._valkey:
            start = time.time()
            yield
            self.account.trouble(kind, "", start - 1, time.time() + self._fleet.lease)

    async def _restart_serve(self, event: Event) -> None:
        async with self._serve:
            end(self._fleet.serve)
            await asyncio.sleep(event.seconds)
            self._fleet.start_serve()

    # Lines

    async def _cut(self, event: Event) -> str:
        return self._broken(event, self._proxy(event).cut())

    async def _cut_inside(self, event: Event) -> str:
        return self._broken(event, self._proxy(event).cut_after(event.number))

    async def _swallow(self, event: Event) -> str:
        self._proxy(event).swallow(event.number)
        return f"{event.service}, {event.number}"

    async def _delay(self, event: Event) -> str:
        proxy = self._proxy(event)
        proxy.delay = event.number / 1000
        await self._while(event)
        proxy.delay = 0.0
        return f"{event.service} by {event.number} ms"

    async def _refuse(self, event: Event) -> str:
        proxy = self._proxy(event)
        proxy.refusing = True
        await self._while(event)
        proxy.refusing = False
        return event.service

    async def _while(self, event: Event) -> None:
        start = time.time()
        await asyncio.sleep(event.seconds)
        if event.service == "redis":
            self.account.trouble(event.kind, "", start, time.time() + 1)

    def _proxy(self, event: Event) -> Proxy:
        proxies = self._fleet.proxies[event.service]
        return proxies[event.worker % len(proxies)]

    def _broken(self, event: Event, connections: int) -> str:
        self.account.cut += connections
        now = time.time()
        if event.service == "redis":
            self.account.trouble(event.kind, "", now - 1, now + self._fleet.lease)
        elif event.kind == "cut" and event.service != "rewards":
            # An answer that has just passed may not have been read.
            self.account.trouble(event.kind, f"worker-{event.worker}", now - 1, now)
        return f"{event.service}, {connections} connections"

    # Others

    async def _faults(self, event: Event) -> str:
        await self._fleet.switch(event.service, event.faults)
        await asyncio.sleep(event.seconds)
        await self._fleet.switch(event.service, _off(event.faults))
        return " ".join(sorted(event.faults))

    async def _poison_unit(self, event: Event) -> str:
        queue = await self._fleet.ledger.queue_of(self._fleet.workers[event.worker].pid)
        if queue is None:
            return "no queue"
        await self._fleet.ledger.poison(queue, "run_units", {"schema": 99, "batches": ["?"]})
        await self._fleet.ledger.poison(queue, "run_units_of_the_future", 1)
        return "two jobs"

    async def _poison_submit(self, _: Event) -> str:
        await self._fleet.ledger.poison(
            "claimcast", "submit_campaign", {"id": 5, "nonsense": True}
        )
        return "one job"


def _off(faults: Any) -> dict[str, object]:  # noqa: ANN401 - switches as JSON
    """Return the same switches, all off; what only says how a fault looks stays as it is."""
    return {
        name: False if isinstance(value, bool) else 0.0
        for name, value in faults.items()
        if isinstance(value, bool | float) and not name.endswith("_seconds")
    }
