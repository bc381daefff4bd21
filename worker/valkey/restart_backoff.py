"""When a server that ended is started again: at once, then after ever longer pauses."""

import time

_PAUSE_CAP_SECONDS = 30.0
_STEADY_SECONDS = 10.0
"""A server that ends sooner was started in vain: on a full disk its first write ends it."""


class RestartBackoff:
    """The starts of one server by one of its users; pauses double from one second to 30."""

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = float("-inf")
        self._started = float("-inf")

    @property
    def failing(self) -> bool:
        """Whether something failed since the server was last steady."""
        return self._failures > 0

    @property
    def pausing(self) -> bool:
        """Whether the pause after the last failure is not over."""
        return time.monotonic() < self._not_before

    @property
    def settled(self) -> bool:
        """Whether the last start and the last failure were some time ago."""
        return time.monotonic() - max(self._started, self._not_before) > _STEADY_SECONDS

    def start(self) -> None:
        """Take note of a start that went well so far."""
        self._started = time.monotonic()

    def fail(self) -> None:
        """Take note of a start that failed, or was in vain; begins a pause."""
        self._started = float("-inf")
        pause = min(2.0**self._failures, _PAUSE_CAP_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._not_before = time.monotonic() + pause

    def in_vain(self) -> bool:
        """Return, of a server that has ended, whether it did so soon after its start."""
        return time.monotonic() - self._started < _STEADY_SECONDS

    def reset(self) -> None:
        """Take note that all is well: the next failure is a first one."""
        self._failures = 0
