"""What every test may ask for: a real Valkey, a clean environment."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.redis import Redis
from worker.valkey.embedded import EmbeddedValkey

# No example fails because the machine was busy; a --hypothesis-profile still wins over this.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests, and colours, out of them."""
    for name in list(os.environ):
        if name.upper().startswith("CLAIMCAST_") or name in {"NO_COLOR", "FORCE_COLOR"}:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server as production has it (append-only file, synced always), ours alone."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.start_or_join()


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of an empty database; replies are bytes."""
    async with Redis.from_url(valkey_url) as client:
        await client.flushall()
        yield client
