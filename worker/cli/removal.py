"""The commands that remove what is personal: purge a campaign, forget a person."""

import click

from pipeline.domain.clock import iso
from pipeline.operations.erase_recipient import Forgetting, Forgotten
from pipeline.operations.purge import Purging, rewrite_log
from pipeline.store.audit_trail import Action
from pipeline.store.campaigns import Snapshot
from pipeline.store.scripts import Scripts
from pipeline.views.campaign_status import ended
from worker.cli.actor import actor, actor_option
from worker.cli.asking import agreed_for_good
from worker.cli.campaigns import found_campaign, times
from worker.cli.configured import open_logged
from worker.cli.entry import NOT_ALL_REACHED, OK, command, say
from worker.wiring.ledger import App


@click.command()
@click.argument("campaign")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@actor_option
@command
async def purge(campaign: str, *, yes: bool) -> int:
    """Remove people and links of CAMPAIGN, which has ended; counts, orders and audit stay."""
    async with open_logged() as app:
        snapshot = await found_campaign(app, campaign)
        if purged := snapshot.number("purged"):
            say(f'Campaign "{campaign}" was purged before, on {iso(purged)}.')
            return OK
        if not snapshot.text("purging") and ended(snapshot):
            say(_consequences(snapshot))
            if not agreed_for_good("Purge it for good?", yes=yes):
                return NOT_ALL_REACHED
        purging = Purging(app.campaigns, app.audit, Scripts(app.redis))
        await purging.purge(snapshot.serial, actor=actor())
        await rewrite_log(app.redis)
    say(
        f'Campaign "{campaign}" is purged: {times(snapshot.number("n"), "person", "people")} and'
        " their links are gone; `claimcast report` and `claimcast verify` work with what stays."
    )
    return OK


@click.command()
@click.argument("campaign")
@click.argument("recipient")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@actor_option
@command
async def forget(campaign: str, recipient: str, *, yes: bool) -> int:
    """Remove name, address, variables and link of RECIPIENT (an id); nothing is sent any more."""
    async with open_logged() as app:
        snapshot = await found_campaign(app, campaign)
        forgetting = Forgetting(app.redis, app.campaigns, app.vault, Scripts(app.redis))
        if before := await forgetting.look(snapshot, recipient):
            say(f"They were forgotten before, on {iso(before)}.")
            return OK
        say(
            "Forgetting is for good: name, addresses, variables and the link are removed, and"
            " nothing more is sent. A link that was not sent yet was paid for, and is lost."
        )
        if not agreed_for_good("Forget this person?", yes=yes):
            return NOT_ALL_REACHED
        await _record(app, snapshot, recipient)
        done = await forgetting.forget(snapshot, recipient)
    say(_told(done))
    return OK


async def _record(app: App, snapshot: Snapshot, recipient: str) -> None:
    campaign = snapshot.campaign_id
    person = app.audit.person(campaign, recipient)
    await app.audit.add(Action.FORGET, actor=actor(), campaign=campaign, recipient=person)


def _told(done: Forgotten) -> str:
    on_its_way = " A message to them was on its way, and may still arrive." * done.on_its_way
    return f"They are forgotten.{on_its_way}"


def _consequences(snapshot: Snapshot) -> str:
    spare = snapshot.links()["spare"]
    lost = f" {times(spare, 'spare link')} would be lost." if spare else ""
    return (
        f"Purging is for good: names, addresses, variables and links of "
        f"{times(snapshot.number('n'), 'person', 'people')} are removed, and nothing can be sent"
        f" to them again.{lost}"
    )
