"""Resending under everything that can happen, in any order."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis

from tests.pipeline.store.resend_machine import ResendMachine


@pytest.fixture
def fast_url(valkey_url: str) -> Iterator[str]:
    """A server that does not sync: here nothing crashes but workers, and steps are many."""
    with Redis.from_url(valkey_url) as server:
        server.config_set("appendfsync", "no")
        yield valkey_url
        server.config_set("appendfsync", "always")


def test_no_sequence_of_events_starts_an_old_generation(fast_url: str) -> None:
    class AtThisServer(ResendMachine):
        url = fast_url

    run_state_machine_as_test(
        AtThisServer,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            # Shrinking would take minutes; thirty steps can be read as they are.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
