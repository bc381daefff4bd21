import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from sandbox.options import SandboxOptions
from sandbox.server import running
from tests.sandbox.driving import Customer, StartSandbox

_UNUSED_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default takes 50 ms to make


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver takes each post, however long this process waits for the processor."""
    monkeypatch.setattr("sandbox.outgoing._PATIENCE", 60.0)
    monkeypatch.setattr("sandbox.rewards.signaller._PATIENCE", 60.0)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[StartSandbox]:
    """Start sandboxes with the given options; `directory` is the test's own unless given."""
    async with AsyncExitStack() as stack:

        async def start_one(**options: object) -> Customer:
            options.setdefault("directory", tmp_path / "sandbox")
            sandbox = await stack.enter_async_context(running(SandboxOptions(**options)))  # type: ignore[arg-type]
            http = httpx.AsyncClient(
                base_url=sandbox.base_url, trust_env=False, verify=_UNUSED_TLS, timeout=60
            )
            await stack.enter_async_context(http)
            return Customer(sandbox, http)

        yield start_one
