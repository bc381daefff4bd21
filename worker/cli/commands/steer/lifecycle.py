"""The commands that steer a campaign: pause, resume and cancel."""

from typing import Literal

import click

from pipeline.domain.errors import InputError
from pipeline.domain.models import CampaignState
from pipeline.store.audit_trail import AuditAction
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import campaign_state
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.confirm import confirm_final
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say
from worker.cli.console.session import open_session
from worker.cli.progress.campaign_view import advice, read_view
from worker.wiring.ledger import App

_DONE = {"pause": "pausing", "resume": "resuming", "cancel": "cancelling"}


@click.command()
@click.argument("campaign")
@actor_option
@command
async def pause(campaign: str) -> int:
    """Pause CAMPAIGN: nothing new is started; what is on the wire is finished."""
    async with open_session() as app:
        snapshot = await find_campaign(app, campaign)
        if campaign_state(snapshot)[0] is CampaignState.PAUSED:
            say(f'Campaign "{campaign}" is paused already; see `claimcast resume {campaign}`.')
            return OK
        await _steer(app, snapshot, "pause")
    say(
        f'Campaign "{campaign}" is paused: within a second nothing more is ordered or sent. '
        f"`claimcast resume {campaign}` lets it go on."
    )
    return OK


@click.command()
@click.argument("campaign")
@actor_option
@command
async def resume(campaign: str) -> int:
    """Resume CAMPAIGN after a pause, or after what blocked it was mended."""
    async with open_session() as app:
        snapshot = await find_campaign(app, campaign)
        if _nothing_to_resume(snapshot):
            say(f'Campaign "{campaign}" was neither paused nor blocked: it goes on already.')
        else:
            await _steer(app, snapshot, "resume")
            say(f'Campaign "{campaign}" goes on.')
        for line in advice(await read_view(app, snapshot.serial)):
            say(line)
    return OK


@click.command()
@click.argument("campaign")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@actor_option
@command
async def cancel(campaign: str, *, yes: bool) -> int:
    """Cancel CAMPAIGN for good: no new order, no new message."""
    async with open_session() as app:
        snapshot = await find_campaign(app, campaign)
        if snapshot.cancelled:
            say(f'Campaign "{campaign}" was cancelled before.')
            return OK
        _refuse_ended(snapshot, "cancel")
        say(_consequences(snapshot))
        if not confirm_final("Cancel it for good?", yes=yes):
            return NOT_ALL_REACHED
        await _steer(app, snapshot, "cancel")
    say(
        f'Campaign "{campaign}" is cancelled; `claimcast status {campaign}` shows how far the'
        " workers have brought it to its end."
    )
    return OK


def _nothing_to_resume(snapshot: CampaignSnapshot) -> bool:
    """Return whether there is nothing that a resume would end."""
    if snapshot.cancelled or snapshot.ended or snapshot.paused:
        return False
    return not snapshot.blocked


async def _steer(
    app: App, snapshot: CampaignSnapshot, verb: Literal["pause", "resume", "cancel"]
) -> None:
    """Steer the campaign; raises InputError if it has ended, without a trace of the attempt."""
    _refuse_ended(snapshot, verb)
    await app.audit.add(AuditAction(verb), actor=actor(), campaign=snapshot.campaign_id)
    if not await app.campaigns.steer(snapshot.serial, verb):
        _refuse_ended(await app.campaigns.snapshot(snapshot.serial), verb)


def _refuse_ended(snapshot: CampaignSnapshot, verb: Literal["pause", "resume", "cancel"]) -> None:
    campaign = snapshot.campaign_id
    if snapshot.cancelled and verb != "cancel":
        msg = f'Campaign "{campaign}" was cancelled, and that is final: nothing was changed.'
        raise InputError(msg)
    if snapshot.ended and not snapshot.cancelled:
        msg = f'Campaign "{campaign}" has finished, so {_DONE[verb]} it changes nothing.'
        raise InputError(msg)


def _consequences(snapshot: CampaignSnapshot) -> str:
    pending = snapshot.deliveries()["pending"]
    awaited = snapshot.links()["awaited"]
    orders = snapshot.batches()["ordered"]
    return (
        "Cancelling is final: no new order and no new message. "
        f"{times(pending, 'message')} will not be sent; {times(orders, 'open order')} "
        f"({times(awaited, 'link')}) will be read to the end, and links that nobody was sent are "
        "spare."
    )
