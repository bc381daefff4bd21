"""Ctrl-C and SIGTERM while work is going on."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
