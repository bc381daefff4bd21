"""The due index under everything that workers, operators and time can do to it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis

from tests.pipeline.store.due_machine import DueMachine


@pytest.fixture
def fast_url(valkey_url: str) -> Iterator[str]:
    """A server that does not sync: here nothing crashes but workers, and steps are many."""
    with Redis.from_url(valkey_url) as server:
        server.config_set("appendfsync", "no")
        yield valkey_url
        server.config_set("appendfsync", "always")


def test_no_batch_is_lost_given_twice_or_kept_waiting_by_others(fast_url: str) -> None:
    class AtThisServer(DueMachine):
        url = fast_url

    run_state_machine_as_test(
        AtThisServer,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            # Shrinking would take minutes; so many steps can be read as they are.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
