"""The commands that run until they are stopped: `worker` and `sandbox`."""

import contextlib
import gc
import io
import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import click

from sandbox.cli import command as sandbox_command
from worker.app import open_app, open_machinery
from worker.cli.entry import OK, command, say, settings
from worker.cli.stopping import stop_signals
from worker.executor import Executor


@click.command(short_help="Work on all submitted campaigns.")
@click.option("--burst", is_flag=True, help="Exit when nothing is due within a minute.")
@command
async def worker(*, burst: bool) -> int:
    """
    Work on all submitted campaigns, together with every other worker.

    SIGTERM or Ctrl-C settles what is on the wire and exits within seconds; a second one exits at
    once. What a killed worker had in hand is taken over by another one.
    """
    found = settings()
    async with open_app(found, patient=True) as app, open_machinery(app) as machinery:
        executor = Executor(app, machinery)
        spare_the_collector()
        with stop_signals(executor.stop):
            await executor.run(burst=burst)
    return OK


def spare_the_collector() -> None:
    """Look for cycles less often, and never among what was imported: a twentieth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def sandbox_environment(addresses: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that make claimcast use the sandbox at *addresses*, which it printed."""
    return {
        "CLAIMCAST_REWARDS__BASE_URL": str(addresses["base_url"]),
        "CLAIMCAST_REWARDS__EMAIL": str(addresses["email"]),
        "CLAIMCAST_REWARDS__ACCESS_TOKEN": str(addresses["access_token"]),
        "CLAIMCAST_SMTP__HOST": str(addresses["smtp_host"]),
        "CLAIMCAST_SMTP__PORT": str(addresses["smtp_port"]),
        "CLAIMCAST_SMTP__SECURITY": "none",
        "CLAIMCAST_SMTP__SENDER": "Rewards <rewards@example.com>",
        "CLAIMCAST_TWILIO__ACCOUNT_SID": str(addresses["account_sid"]),
        "CLAIMCAST_TWILIO__AUTH_TOKEN": str(addresses["auth_token"]),
        "CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006",
        "CLAIMCAST_TWILIO__BASE_URL": str(addresses["base_url"]),
    }


class _Announcing(io.TextIOBase):
    """Standard output that tells people how to use what is announced there to programs."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def write(self, text: str) -> int:
        written = self._output.write(text)
        if text.startswith("{"):
            _explain(json.loads(text))
        return written

    def flush(self) -> None:
        self._output.flush()


def _explain(addresses: Mapping[str, Any]) -> None:
    say("\nThe sandbox is running until Ctrl-C. In another terminal:\n")
    for name, value in sandbox_environment(addresses).items():
        say(f"  export {name}={shlex.quote(value)}")
    if addresses["maildir"]:
        say(f"\nThe mails arrive in {addresses['maildir']}")


def _serve(**given: Any) -> None:  # noqa: ANN401 - what click has read and checked
    assert sandbox_command.callback is not None  # noqa: S101 - it is a command
    with contextlib.redirect_stdout(_Announcing(sys.stdout)):
        sandbox_command.callback(**given)


sandbox = click.Command(
    "sandbox",
    callback=_serve,
    params=sandbox_command.params,
    help=sandbox_command.help,
    short_help="Run a rewards API and a mail sink on this machine, to try things out.",
)
