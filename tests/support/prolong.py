"""Times of production that must not run out while a test looks at something else."""

from types import ModuleType

import pytest


def prolong(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    usual: float,
    to: float = 600.0,
) -> None:
    """Let a time of production not run out; what it usually is is checked here."""
    assert getattr(module, name) == usual
    monkeypatch.setattr(module, name, to)
