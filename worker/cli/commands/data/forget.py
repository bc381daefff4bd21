"""The command `forget`: all that is personal of one person is removed."""

import click

from pipeline.domain.clock import iso
from pipeline.operations.erase_recipient import RecipientEraser
from pipeline.store.audit_trail import AuditAction
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.maintenance.erasures import Erased
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign
from worker.cli.console.configured import open_logged
from worker.cli.console.confirm import confirm_final
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say
from worker.wiring.ledger import App


@click.command()
@click.argument("campaign")
@click.argument("recipient")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@actor_option
@command
async def forget(campaign: str, recipient: str, *, yes: bool) -> int:
    """
    Erase the data of RECIPIENT (an id) in CAMPAIGN: name, address, variables and link.

    Nothing is sent to them any more. This is what a request under the GDPR asks for.
    """
    async with open_logged() as app:
        snapshot = await find_campaign(app, campaign)
        eraser = RecipientEraser(app.pages, app.campaigns, app.erasures, app.vault)
        if before := await eraser.look(snapshot, recipient):
            say(f"They were forgotten before, on {iso(before)}.")
            return OK
        say(
            "Forgetting is for good: name, addresses, variables and the link are removed, and"
            " nothing more is sent. A link that was not sent yet was paid for, and is lost."
        )
        if not confirm_final("Forget this person?", yes=yes):
            return NOT_ALL_REACHED
        await _record(app, snapshot, recipient)
        done = await eraser.forget(snapshot, recipient)
    say(_told(done))
    return OK


async def _record(app: App, snapshot: CampaignSnapshot, recipient: str) -> None:
    campaign = snapshot.campaign_id
    person = app.audit.person_digest(campaign, recipient)
    await app.audit.add(AuditAction.FORGET, actor=actor(), campaign=campaign, recipient=person)


def _told(done: Erased) -> str:
    on_its_way = " A message to them was on its way, and may still arrive." * done.on_its_way
    return f"They are forgotten.{on_its_way}"
