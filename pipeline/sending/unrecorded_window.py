"""What may have been sent and is not recorded yet: the most that one kill can put in doubt."""

import asyncio
from collections.abc import Hashable

from pipeline.domain.errors import BackpressureError


class UnrecordedWindow:
    """The attempts of one channel between send guard and record; never more than *most*."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Hashable] = set()
        self._room: asyncio.Future[None] | None = None

    def enter(self, attempt: Hashable) -> None:
        """Count an attempt that is about to leave, once; BackpressureError if it must wait."""
        if len(self._open) >= self._most and attempt not in self._open:
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            raise BackpressureError(self._room)
        self._open.add(attempt)

    def leave(self, attempt: Hashable) -> None:
        """Count one no longer: its result is recorded. Fine for one that never left."""
        self._open.discard(attempt)
        if self._room is not None and not self._room.done():  # cancelled with who awaited it
            self._room.set_result(None)
