"""How much this worker has in hand, so that the pump brings as much as fits."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.batch import Lane, Unit
from pipeline.clock import uptime


@dataclass(slots=True)
class _Dispatched:
    unit: Unit
    lapses: float
    started: bool = False


class Slots:
    """
    What was given to arq and not seen finished; `changed` is set when a slot becomes free.

    Beyond the *sizes* of the lanes there are *more* slots for what others had begun.
    """

    def __init__(self, sizes: Mapping[Lane, int], *, more: int = 0) -> None:
        self._sizes = sizes
        self._more = more
        self._jobs: dict[str, _Dispatched] = {}
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._jobs)

    def free(self, lane: Lane) -> int:
        return max(0, self._sizes[lane] - self._used(lane))

    def spare(self) -> int:
        over = sum(max(0, self._used(lane) - size) for lane, size in self._sizes.items())
        return max(0, self._more - over)

    def _used(self, lane: Lane) -> int:
        return sum(1 for job in self._jobs.values() if job.unit.lane is lane)

    def take(self, job_id: str, unit: Unit, *, seconds: float) -> None:
        """Count a job; unless it starts within *seconds* it is taken for lost."""
        self._jobs[job_id] = _Dispatched(unit, uptime() + seconds)

    def start(self, job_id: str) -> None:
        if job_id in self._jobs:
            self._jobs[job_id].started = True

    def give_back(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)
        self.changed.set()

    def forget_lapsed(self) -> None:
        """Free the slots of jobs that arq lost; their batches become due again by themselves."""
        for job_id, job in list(self._jobs.items()):
            if not job.started and job.lapses < uptime():
                self.give_back(job_id)

    def waiting(self) -> list[Unit]:
        """Return the units that were dispatched and never started."""
        return [job.unit for job in self._jobs.values() if not job.started]

    def running(self) -> int:
        return sum(1 for job in self._jobs.values() if job.started)
