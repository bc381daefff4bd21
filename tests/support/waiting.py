"""Waiting for a condition instead of sleeping for a guess."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable

PATIENCE_VARIABLE = "PATIENCE_OF_TESTS"
PATIENCE = float(os.environ.get(PATIENCE_VARIABLE, "120"))
"""
Seconds that no busy machine needs: only what never comes is waited for so long.

`make mutants`, where that is what is looked for, sets the variable to less.
"""

_POLL_SECONDS = 0.01


async def wait_until(predicate: Callable[[], object], timeout: float = PATIENCE) -> None:  # noqa: ASYNC109 - it is the caller's patience, not a cancellation
    """Return once *predicate*, a plain or an async function, is true; fail after *timeout* s."""
    deadline = time.monotonic() + timeout
    while not await _value(predicate()):
        assert time.monotonic() < deadline, f"not true within {timeout} s: {_words(predicate)}"
        await asyncio.sleep(_POLL_SECONDS)


def wait_until_sync(predicate: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Return once *predicate* is true; fail after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < deadline, f"not true within {timeout} s: {_words(predicate)}"
        time.sleep(_POLL_SECONDS)


async def _value(found: object) -> object:
    if isinstance(found, Awaitable):
        return await found
    return found


def _words(predicate: Callable[[], object]) -> str:
    try:
        return inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        return repr(predicate)
