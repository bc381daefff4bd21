"""The commands that look: status, and one person's timeline."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.status import as_json, ended, iso
from pipeline.timeline import Timelines
from worker.app import App, open_app
from worker.cli.campaigns import found_campaign, times
from worker.cli.entry import OK, command, settings
from worker.cli.overview import all_table, campaign_table, surroundings, view

_REFRESH_SECONDS = 1.0
_WIDTH = 120  # of a pipe or a file, which has none

Look = Callable[[], Awaitable[tuple[RenderableType, bool]]]
"""Returns what is to be seen now, and whether it is final."""


@click.command()
@click.argument("campaign", required=False)
@click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")
@click.option("--watch", is_flag=True, help="Refresh every second until it has finished.")
@command
async def status(campaign: str | None, *, as_document: bool, watch: bool) -> int:
    """Show how far CAMPAIGN is and what holds it up; without it, all campaigns."""
    async with open_app(settings(), keys="look") as app:
        look = await _look_at(app, campaign)
        if watch:
            await (_wait(look) if as_document else _watch(look))
        elif not as_document:
            _console().print((await look())[0])
        if as_document:
            document = await _document(app, campaign)
            click.echo(json.dumps(document, ensure_ascii=False))
    return OK


@click.command()
@click.argument("campaign")
@click.argument("recipient")
@click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")
@command
async def recipient(campaign: str, recipient: str, *, as_document: bool) -> int:
    """Show what happened to RECIPIENT (an id) of CAMPAIGN; neither link nor full address."""
    async with open_app(settings(), keys="look") as app:
        snapshot = await found_campaign(app, campaign)
        timelines = Timelines(app.redis, app.campaigns, app.vault)
        document = await timelines.of(snapshot, recipient)
    if as_document:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _console().print(_person(document))
        _console().print(_events(document))
    return OK


async def _look_at(app: App, campaign: str | None) -> Look:
    if campaign is None:
        return lambda: _all(app)
    serial = (await found_campaign(app, campaign)).serial
    return lambda: _one(app, serial)


async def _one(app: App, serial: str) -> tuple[RenderableType, bool]:
    shown = await view(app, serial)
    table = campaign_table(shown)
    if purged := shown.snapshot.number("purged"):
        table = Group(table, Text(f"People and links were purged on {iso(purged)}."))
    return table, ended(shown.snapshot)


async def _all(app: App) -> tuple[RenderableType, bool]:
    snapshots = [
        await app.campaigns.snapshot(serial) for serial in (await app.campaigns.ids()).values()
    ]
    return all_table(snapshots, await surroundings(app)), all(map(ended, snapshots))


async def _watch(look: Look) -> None:
    """Show what is to be seen until it is final."""
    shown, final = await look()
    with Live(shown, console=_console(), auto_refresh=False) as live:
        while not final:
            await asyncio.sleep(_REFRESH_SECONDS)
            shown, final = await look()
            live.update(shown, refresh=True)


async def _wait(look: Look) -> None:
    while not (await look())[1]:  # noqa: ASYNC110 - what ends it happens in other processes
        await asyncio.sleep(_REFRESH_SECONDS)


async def _document(app: App, campaign: str | None) -> dict[str, Any]:
    if campaign is not None:
        return as_json(await found_campaign(app, campaign))
    serials = (await app.campaigns.ids()).values()
    return {"campaigns": [as_json(await app.campaigns.snapshot(serial)) for serial in serials]}


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _person(document: dict[str, Any]) -> RenderableType:
    addresses = (f"{channel} {shown}" for channel, shown in document["addresses"].items())
    reason = f" ({document['reason']})" if document["reason"] else ""
    facts = {
        "recipient": document["recipient"],
        "campaign": document["campaign"],
        "addresses": ", ".join(addresses),
        "place": f"batch {document['batch']}, position {document['position']}",
        "batch": document["batch_state"] + reason,
        "order": f"{document['order_id'] or 'none'} ({document['po_number'] or 'no PO number'})",
        "link": document["link_ref"] or ("removed" if _removed(document) else "none yet"),
    }
    if removed := _removed(document):
        facts["removed"] = removed
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    for delivery in document["earlier"] + document["deliveries"]:
        table.add_row(delivery["channel"], Text(_delivery(delivery)))
    return table


def _removed(document: dict[str, Any]) -> str:
    """Return a clause on what is not there any more; empty if everything is."""
    if forgotten := document["forgotten_at"]:
        return f"forgotten on {forgotten}: name, addresses, variables and link are gone"
    if purged := document["purged_at"]:
        return f"purged with the whole campaign on {purged}"
    return ""


def _delivery(delivery: dict[str, Any]) -> str:
    words = f"{delivery['status']}, {times(delivery['attempts'], 'attempt')}"
    if delivery["code"]:
        words += f", {delivery['meaning']} ({delivery['code']})"
    if delivery["generation"] > 1:
        to = delivery["address"] or "an address that was removed"
        words = f"generation {delivery['generation']} to {to}: {words}"
    if delivery["next_attempt_at"]:
        words += f", next attempt from {delivery['next_attempt_at']}"
    return words


def _events(document: dict[str, Any]) -> RenderableType:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for event in document["events"]:
        table.add_row(event["at"], Text(event["event"]))
    return table
