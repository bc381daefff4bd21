"""The command `sandbox`: the loopback rewards API, mail sink and SMS API, until it is stopped."""

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import click

from sandbox.cli import command as sandbox_command
from worker.cli.console.entry import say


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


class _AnnouncementPrinter(io.TextIOBase):
    """Standard output that shows people how to use what is announced there to programs."""

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
    with contextlib.redirect_stdout(_AnnouncementPrinter(sys.stdout)):
        sandbox_command.callback(**given)


sandbox = click.Command(
    "sandbox",
    callback=_serve,
    params=sandbox_command.params,
    help=sandbox_command.help,
)
