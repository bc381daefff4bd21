"""The clock of deadlines."""

import time

# CLOCK_BOOTTIME goes on counting while the machine sleeps; a lease does not wait for a laptop lid.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return seconds of a clock that only moves forward, also while suspended."""
    return time.clock_gettime(_CLOCK)
