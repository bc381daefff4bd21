from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.support.world import World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh installation and a sandbox whose orders complete asynchronously, in 0.3 s."""
    with open_world(tmp_path, "--async-above", "50", "--async-delay", "0.3") as found:
        yield found
