"""Limits how many messages may have been sent without a record: what one kill makes uncertain."""

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
        """
        Count an attempt that is about to be sent; raises BackpressureError if it must wait.

        An attempt that is in the window already is counted once.
        """
        if len(self._open) >= self._most and attempt not in self._open:
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            raise BackpressureError(self._room)
        self._open.add(attempt)

    def leave(self, attempt: Hashable) -> None:
        """Remove an attempt whose result is recorded; may be called for one that never entered."""
        self._open.discard(attempt)
        if (
            self._room is not None and not self._room.done()
        ):  # it is done if a task that awaited it was cancelled
            self._room.set_result(None)
