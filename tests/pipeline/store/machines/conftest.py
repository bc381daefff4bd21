"""What the state machines run on: a fast server, and as many steps as fit."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from redis import Redis

Run = Callable[..., None]


@pytest.fixture
def fast_url(valkey_url: str) -> Iterator[str]:
    """A server that does not sync: here nothing crashes but workers, and steps are many."""
    with Redis.from_url(valkey_url) as server:
        server.config_set("appendfsync", "no")
        yield valkey_url
        server.config_set("appendfsync", "always")


@pytest.fixture
def run_machine(fast_url: str) -> Run:
    """Run a machine, whose class attribute *url* names the server, for so many steps."""

    def run(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
        run_state_machine_as_test(
            type("AtThisServer", (machine,), {"url": fast_url}),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=True,
                database=None,
                # Shrinking would take minutes; so many steps can be read as they are.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )

    return run
