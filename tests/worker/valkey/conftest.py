"""What the tests of the embedded server have in common."""

import pytest

from tests.support.clock import Clock
from worker.valkey import restart_backoff


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which pauses end and servers have lasted; no stall of this machine moves it."""
    clock = Clock()
    monkeypatch.setattr(restart_backoff, "time", clock)
    return clock
