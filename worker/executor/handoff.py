"""From one unit to the next within a job: arq starts jobs, it need not start every unit."""

import asyncio

from pipeline.domain.batch import Unit
from worker.executor.slots import Slots


class Handoff:
    """
    Jobs that are through with their unit, and the units that are handed to them.

    arq starts one job after the other, in several round trips each, and looks at those that run
    again and again. With a job for each unit, two of three slots held units that waited for arq
    (measured with 3,000 people/s); the senders ran dry. The one that began to wait last goes on
    first, so that those not needed end.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waiting: list[asyncio.Future[Unit | None]] = []
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def next(self, seconds: float) -> Unit | None:
        """Return the next unit, counted as started; None if none comes within *seconds*."""
        if self._closed:
            return None
        handed = asyncio.get_running_loop().create_future()
        self._waiting.append(handed)
        try:
            # Unlike a time-out it cannot lose what is handed in its last moment.
            await asyncio.wait([handed], timeout=seconds)
        except asyncio.CancelledError:
            if handed.done() and (unit := handed.result()) is not None:
                self._slots.release(unit)
            raise
        finally:
            if handed in self._waiting:
                self._waiting.remove(handed)
        return handed.result() if handed.done() else None

    def offer(self, unit: Unit) -> bool:
        """Give a dispatched unit to a job that waits; return False if there is none."""
        if not self._waiting:
            return False
        self._slots.start(unit)
        self._waiting.pop().set_result(unit)
        return True

    def close(self) -> None:
        """End every wait, now and from now on; may be called twice."""
        self._closed = True
        while self._waiting:
            self._waiting.pop().set_result(None)
