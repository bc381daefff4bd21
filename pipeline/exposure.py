"""What may have been sent and is not recorded yet: the most that one kill can put in doubt."""

import asyncio

from pipeline.errors import CrowdedError
from pipeline.models import DeliveryKey


class Exposure:
    """The deliveries of one channel between clearance and record; never more than *most*."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[DeliveryKey] = set()
        self._room: asyncio.Future[None] | None = None

    def enter(self, key: DeliveryKey) -> None:
        """Count a delivery that is about to leave, once; raises CrowdedError if it must wait."""
        if len(self._open) >= self._most and key not in self._open:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            raise CrowdedError(self._room)
        self._open.add(key)

    def leave(self, key: DeliveryKey) -> None:
        """Count one no longer: its result is recorded. Fine for one that never left."""
        self._open.discard(key)
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
