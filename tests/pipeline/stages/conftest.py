"""A worker with a sandbox, for the tests that say how the sandbox behaves."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.pipeline.ledger import Ledger
from tests.pipeline.stages.stage_worker import SandboxWorker, StartWorker, working


@pytest.fixture
async def start(tmp_path: Path, ledger: Ledger) -> AsyncIterator[StartWorker]:
    """Start a worker and a sandbox with the given options."""
    async with AsyncExitStack() as stack:

        async def start_one(**options: object) -> SandboxWorker:
            return await stack.enter_async_context(
                working(ledger, tmp_path / "sandbox", **options)  # type: ignore[arg-type]
            )

        yield start_one
