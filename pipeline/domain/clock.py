"""The clock of deadlines, and how people read a time."""

import time
from datetime import UTC, datetime

# CLOCK_BOOTTIME goes on counting while the machine sleeps; a lease does not wait for a laptop lid.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return seconds of a clock that only moves forward, also while suspended."""
    return time.clock_gettime(_CLOCK)


def iso(ms: int) -> str | None:
    """Return a time in ms since the epoch as ISO 8601 in UTC; None for 0."""
    if not ms:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
