"""A site over an empty installation."""

from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import Fernet

from tests.support.prolong import prolong
from tests.support.redis import Redis
from tests.worker.web.site import AUTH_TOKEN, PUBLIC, Line, Site, open_site
from worker.web import connection, metrics


@pytest.fixture
def environment(redis: Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "REDIS__URL": valkey_url,
        "SECRET_KEYS": Fernet.generate_key().decode(),
        "PUBLIC_URL": f"{PUBLIC}/",
        "TWILIO__ACCOUNT_SID": "AC0",
        "TWILIO__AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO__FROM_NUMBER": "+15005550006",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"CLAIMCAST_{name}", value)
    # A busy machine may take long; nothing is to be cut off or missing for that.
    prolong(monkeypatch, connection, "REQUEST_SECONDS", usual=10.0)
    prolong(monkeypatch, metrics, "_READ_SECONDS", usual=4.0)


@pytest.fixture
async def site(environment: None) -> AsyncIterator[Site]:
    async with open_site() as site:
        yield site


@pytest.fixture
async def line(
    environment: None, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Line]:
    """The line between the site and its server; ask for it before `site`."""
    async with Line.opened(valkey_url) as line:
        monkeypatch.setenv("CLAIMCAST_REDIS__URL", line.url)
        yield line
