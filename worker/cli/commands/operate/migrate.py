"""The command `migrate`: stored data of an older format is brought to the one of this program."""

import click

from pipeline.domain.stored_format import OURS
from worker.cli.console.entry import OK, command, say
from worker.cli.console.session import open_session


@click.command()
@command
async def migrate() -> int:
    """
    Upgrade stored data of an older version, with all workers stopped.

    This version reads everything that an earlier one stored as it is, so there is nothing to do
    but to mark it with its format, which the first command that changes something does as well.
    """
    async with open_session():
        say(f"The stored data is of format {OURS.written}, the current one: nothing to do.")
    return OK
