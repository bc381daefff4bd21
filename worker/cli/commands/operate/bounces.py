"""The command `bounces`: a mail server hands over what it could not deliver."""

import asyncio
import sys

import click

from pipeline.callbacks.dsn import LARGEST
from pipeline.domain.errors import InputError
from worker.cli.console.configured import open_logged
from worker.cli.console.entry import OK, command, say
from worker.web.bounces import BounceIntake, BounceResult, bounce_path
from worker.web.feedback import Feedback
from worker.wiring.ledger import App

_WORDS = {
    BounceResult.RECORDED: "The notification was recorded.",
    BounceResult.NOT_FINAL: "The notification is not final; nothing was changed.",
    BounceResult.UNREADABLE: "This is no delivery status notification; nothing was changed.",
    BounceResult.FORGED: "The notification is not about a message of ours; nothing was changed.",
}


@click.command()
@click.option("--url", is_flag=True, help="Print the address of the webhook that does the same.")
@command
async def bounces(*, url: bool) -> int:
    """
    Take one bounce, a delivery status notification (RFC 3464), from standard input.

    Whatever else is handed over is ignored, with exit status 0. In a mail server's pipe write
    `claimcast bounces || exit 75`, so that it keeps the message while Redis cannot be reached.
    """
    async with open_logged() as app:
        if url:
            click.echo(_url(app))
            return OK
        raw = await asyncio.to_thread(_message)
        say(_WORDS[await BounceIntake(app.tokens, Feedback(app)).record_notification(raw)])
    return OK


def _url(app: App) -> str:
    base = app.settings.public_url
    if base is None:
        msg = "Set CLAIMCAST_PUBLIC_URL to where `claimcast serve` is reachable from outside."
        raise InputError(msg)
    return base + bounce_path(app.tokens)


def _message() -> bytes:
    """Return what standard input holds; raises InputError if that is nothing, or a keyboard."""
    raw = b"" if sys.stdin.isatty() else sys.stdin.buffer.read(LARGEST)
    if not raw:
        msg = "Give the message on standard input: claimcast bounces < MESSAGE"
        raise InputError(msg)
    return raw
