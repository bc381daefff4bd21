"""Quick commands show people what others log."""

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.worker.cli.command_line import CommandLine


@pytest.fixture
def risky(cli: CommandLine) -> Iterator[CommandLine]:
    """A command line whose server can lose its last second."""
    with Redis.from_url(cli.url) as redis:
        redis.config_set("appendfsync", "everysec")
        try:
            yield cli
        finally:
            redis.config_set("appendfsync", "always")


def test_a_server_that_can_lose_data_is_refused_unless_that_is_accepted(
    risky: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = risky.run("status", code=2)
    assert "can lose what it acknowledged" in refused.stderr

    monkeypatch.setenv("CLAIMCAST_UNSAFE_REDIS", "1")
    accepted = risky.run("status")

    assert accepted.stdout.startswith("No campaigns.")
    assert accepted.stderr == (
        "Warning: this Redis server can lose what it acknowledged: "
        "appendfsync is everysec, not always.\n"
    )
