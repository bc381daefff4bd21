"""The whole ledger under everything that can happen, in any order."""

from tests.pipeline.store.machines.conftest import Run
from tests.pipeline.store.machines.ledger_machine import LedgerMachine


def test_no_sequence_of_events_breaks_the_ledger(run_machine: Run) -> None:
    run_machine(LedgerMachine, examples=60, steps=30)
