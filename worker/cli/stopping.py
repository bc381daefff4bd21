"""Ctrl-C and SIGTERM while work is going on, and tasks that end when they are told to."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN_SECONDS = 3.0  # long enough for what cleans up after a cancellation


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """
    Call *stop* at the first signal; every further one cancels the current task.

    So the first asks to settle what is on the wire, the second ends it at once.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 - a coroutine runs in one
    count = 0

    def signalled() -> None:
        nonlocal count
        count += 1
        if count == 1:
            stop()
        else:
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, signalled)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def ended(task: asyncio.Task[Any], *, patience: float = 0.0) -> None:
    """
    Wait until *task* has ended, after *patience* seconds by cancelling it; its result is dropped.

    More than once, if need be: before Python 3.12 asyncio.wait_for, under which redis-py writes,
    swallows a cancellation that comes at the moment of success.
    """
    while not task.done():
        if patience:
            await asyncio.wait({task}, timeout=patience)
        if not task.done():
            task.cancel()
            patience = _AGAIN_SECONDS
    if not task.cancelled():
        task.exception()  # so that nobody complains that it was never looked at
