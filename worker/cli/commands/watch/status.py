"""The command `status`: how far campaigns are, once or until they have ended."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import click

from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import as_json, ended
from worker.cli.console.campaigns import find_campaign
from worker.cli.console.entry import OK, command
from worker.cli.console.session import open_session
from worker.cli.progress.campaign_view import (
    all_lines,
    campaign_lines,
    read_all,
    read_fleet_state,
    read_view,
)
from worker.cli.progress.watch import WatchView, watch_view
from worker.wiring.ledger import App

_REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be seen at one moment: as lines, and the campaigns that they are about."""

    lines: list[str]
    snapshots: list[CampaignSnapshot]

    @property
    def final(self) -> bool:
        return all(map(ended, self.snapshots))


Look = Callable[[], Awaitable[Shown]]


@click.command()
@click.argument("campaign", required=False)
@click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")
@click.option("--watch", is_flag=True, help="Go on every second until it has ended.")
@command
async def status(campaign: str | None, *, as_document: bool, watch: bool) -> int:
    """
    Show the progress of CAMPAIGN and what holds it up; without it, of all campaigns.

    With --watch a terminal is refreshed; elsewhere a line is printed at every change, or with
    --json one document at the end.
    """
    async with open_session(keys="look") as app:
        look = await _look_at(app, campaign)
        shown = await look()
        if watch:
            shown = await _until_final(look, shown, None if as_document else watch_view())
        elif not as_document:
            click.echo("\n".join(shown.lines))
    if as_document:
        click.echo(json.dumps(_document(campaign, shown.snapshots), ensure_ascii=False))
    return OK


async def _look_at(app: App, campaign: str | None) -> Look:
    if campaign is None:
        return lambda: _all(app)
    serial = (await find_campaign(app, campaign)).serial
    return lambda: _one(app, serial)


async def _one(app: App, serial: str) -> Shown:
    found = await read_view(app, serial)
    return Shown(campaign_lines(found), [found.snapshot])


async def _all(app: App) -> Shown:
    snapshots = await read_all(app)
    return Shown(all_lines(snapshots, await read_fleet_state(app)), snapshots)


async def _until_final(look: Look, shown: Shown, output: WatchView | None) -> Shown:
    """Return what is to be seen at the end; what is on the way there goes to *output*."""
    while True:
        if output is not None:
            output.show(shown.lines, shown.snapshots, final=shown.final)
        if shown.final:
            return shown
        await asyncio.sleep(_REFRESH_SECONDS)
        shown = await look()


def _document(campaign: str | None, snapshots: list[CampaignSnapshot]) -> dict[str, Any]:
    documents = [as_json(snapshot) for snapshot in snapshots]
    return {"campaigns": documents} if campaign is None else documents[0]
