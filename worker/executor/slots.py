"""How much this worker has in hand, so that the pump brings as much as fits."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.clock import uptime


@dataclass(slots=True)
class _Dispatched:
    lapses: float
    started: bool = False


class Slots:
    """
    What was dispatched and not seen finished; `changed` is set when a slot becomes free.

    Beyond the *sizes* of the lanes there are *more* slots for what others had begun.
    """

    def __init__(self, sizes: Mapping[Lane, int], *, extra: int = 0) -> None:
        self._sizes = sizes
        self._more = extra
        self._units: dict[Unit, _Dispatched] = {}
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._units)

    def free(self, lane: Lane) -> int:
        return max(0, self._sizes[lane] - self._used(lane))

    def extra_free(self) -> int:
        over = sum(max(0, self._used(lane) - size) for lane, size in self._sizes.items())
        return max(0, self._more - over)

    def _used(self, lane: Lane) -> int:
        return sum(1 for unit in self._units if unit.lane is lane)

    def reserve(self, unit: Unit, *, seconds: float) -> None:
        """Count a unit; unless it starts within *seconds* it is taken for lost."""
        self._units[unit] = _Dispatched(uptime() + seconds)

    def start(self, unit: Unit) -> None:
        """Count a unit as running, also one that was taken for lost, or that arq runs again."""
        self._units[unit] = _Dispatched(uptime(), started=True)

    def release(self, unit: Unit) -> None:
        self._units.pop(unit, None)
        self.changed.set()

    def free_lapsed(self) -> None:
        """Free the slots of what arq lost; those batches become due again by themselves."""
        for unit, dispatched in list(self._units.items()):
            if not dispatched.started and dispatched.lapses < uptime():
                self.release(unit)

    def waiting(self) -> list[Unit]:
        """Return the units that were dispatched and never started."""
        return [unit for unit, dispatched in self._units.items() if not dispatched.started]

    def running(self) -> int:
        return sum(1 for dispatched in self._units.values() if dispatched.started)
