"""A command line with an empty installation, and one with a sandbox beside it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from sandbox.server import Sandbox
from tests.support.redis import Redis
from tests.worker.cli.command_line import CommandLine, sandbox_beside


@pytest.fixture
def cli(valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    async def empty() -> None:
        async with Redis.from_url(valkey_url) as redis:
            await redis.flushall()

    asyncio.run(empty())
    key = Fernet.generate_key().decode()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", valkey_url)
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", key)
    monkeypatch.setenv("CLAIMCAST_STATE_DIR", str(tmp_path / "state"))
    return CommandLine(valkey_url, key)


@pytest.fixture
def sandbox(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """A sandbox that the settings of the command line point to."""
    with sandbox_beside(tmp_path / "sandbox") as sandbox:
        settings = {
            "REWARDS__BASE_URL": sandbox.base_url,
            "REWARDS__EMAIL": sandbox.email,
            "REWARDS__ACCESS_TOKEN": sandbox.access_token,
            "SMTP__HOST": sandbox.smtp_host,
            "SMTP__PORT": str(sandbox.smtp_port),
            "SMTP__SECURITY": "none",
            "SMTP__SENDER": "rewards@example.com",
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"CLAIMCAST_{name}", value)
        yield sandbox
