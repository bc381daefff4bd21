"""The due index under everything that workers, operators and time can do to it."""

from tests.pipeline.store.machines.conftest import Run
from tests.pipeline.store.machines.due_machine import DueMachine


def test_no_batch_is_lost_given_twice_or_kept_waiting_by_others(run_machine: Run) -> None:
    run_machine(DueMachine, examples=40, steps=20)
