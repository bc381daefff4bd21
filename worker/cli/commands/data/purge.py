"""The command `purge`: people and links of a campaign that has ended are removed."""

import click

from pipeline.domain.clock import iso
from pipeline.operations.purge import CampaignPurger
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import ended
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.configured import open_logged
from worker.cli.console.confirm import confirm_final
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say


@click.command()
@click.argument("campaign")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@actor_option
@command
async def purge(campaign: str, *, yes: bool) -> int:
    """Delete people and links of CAMPAIGN, which has ended; counts, orders and audit stay."""
    async with open_logged() as app:
        snapshot = await find_campaign(app, campaign)
        if purged := snapshot.purged_ms:
            say(f'Campaign "{campaign}" was purged before, on {iso(purged)}.')
            return OK
        if not snapshot.purging and ended(snapshot):
            say(_consequences(snapshot))
            if not confirm_final("Purge it for good?", yes=yes):
                return NOT_ALL_REACHED
        purging = CampaignPurger(app.campaigns, app.audit, app.purges)
        await purging.purge(snapshot.serial, actor=actor())
        await app.purges.rewrite_log()
    say(
        f'Campaign "{campaign}" is purged: {times(snapshot.recipients, "person", "people")} and'
        " their links are gone; `claimcast report` and `claimcast verify` work with what stays."
    )
    return OK


def _consequences(snapshot: CampaignSnapshot) -> str:
    spare = snapshot.links()["spare"]
    lost = f" {times(spare, 'spare link')} would be lost." if spare else ""
    return (
        f"Purging is for good: names, addresses, variables and links of "
        f"{times(snapshot.recipients, 'person', 'people')} are removed, and nothing can be sent"
        f" to them again.{lost}"
    )
