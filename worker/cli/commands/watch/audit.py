"""The command `audit`: who did what when, as JSON Lines."""

import json
import sys
from datetime import UTC, datetime

import click

from pipeline.domain.errors import InputError
from pipeline.store.audit_trail import AuditEntry
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say
from worker.cli.console.session import open_session
from worker.wiring.ledger import App


@click.command()
@click.argument("campaign", required=False)
@click.option("--recipient", metavar="ID", help="Only what was done to this person.")
@command
async def audit(campaign: str | None, *, recipient: str | None) -> int:
    """
    Print the audit log of CAMPAIGN, or of everything, oldest first, as JSON Lines.

    A recipient stands in it by a digest, so --recipient finds the entries of one whose id you
    know. The exit code is 1 if the trail was tampered with.
    """
    if recipient is not None and campaign is None:
        msg = "--recipient goes with a campaign, as ids are unique only within one."
        raise click.UsageError(msg)
    async with open_session(keys="look") as app:
        number = await _print(app, campaign, recipient)
        if campaign is not None and not number and await app.campaigns.find(campaign) is None:
            msg = f'There is no campaign "{campaign}", and nothing was done to one of that name.'
            raise InputError(msg)
        broken = await app.audit.violations()
    for fault in broken:
        say(f"The trail cannot be trusted: {fault}.")
    return NOT_ALL_REACHED if broken else OK


async def _print(app: App, campaign: str | None, recipient: str | None) -> int:
    """Print the entries and return how many there are."""
    person = app.audit.person_digest(campaign, recipient) if campaign and recipient else None
    number = 0
    async for entry in app.audit.entries(campaign):
        if person in (None, entry.details.get("recipient")):
            sys.stdout.write(_line(entry))
            number += 1
    return number


def _line(entry: AuditEntry) -> str:
    moment = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds")
    at = moment.replace("+00:00", "Z")
    return json.dumps(entry.as_json() | {"at": at}, ensure_ascii=False) + "\n"
