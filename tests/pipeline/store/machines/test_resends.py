"""Resending under everything that can happen, in any order."""

from tests.pipeline.store.machines.conftest import Run
from tests.pipeline.store.machines.resend_machine import ResendMachine


def test_no_sequence_of_events_starts_a_message_that_was_resent(run_machine: Run) -> None:
    run_machine(ResendMachine, examples=30, steps=30)
