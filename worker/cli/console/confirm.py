"""Asking a person before something is done; a no is acknowledged, and exits with 1 everywhere."""

import signal
import sys

import click

from pipeline.domain.errors import InputError
from worker.cli.console.entry import say


def on_terminal() -> bool:
    """Return whether somebody is there to be asked."""
    return sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> bool:
    """Ask, unless *yes* was given or nobody is there to be asked; both are a yes."""
    if yes or not on_terminal() or _confirmed(question):
        return True
    say("Nothing was changed.")
    return False


def confirm_final(question: str, *, yes: bool) -> bool:
    """Ask as `confirm` does, about what is final: InputError where nobody can be asked."""
    if not yes and not on_terminal():
        msg = (
            "It cannot be undone, and without a terminal nobody can be asked: with --yes it is "
            "done. Nothing was changed."
        )
        raise InputError(msg)
    return confirm(question, yes=yes)


def _confirmed(question: str) -> bool:
    """Ask; Ctrl-C is a no, though the loop's own handler would wait until the answer is there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        say("")
        return False
    finally:
        signal.signal(signal.SIGINT, before)
