"""The command `recipient`: one person's timeline."""

import json
from collections.abc import Iterator
from typing import Any

import click

from pipeline.views.timeline import Timelines
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.entry import OK, command
from worker.cli.console.session import open_session
from worker.cli.console.tables import columns, facts


@click.command()
@click.argument("campaign")
@click.argument("recipient")
@click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")
@command
async def recipient(campaign: str, recipient: str, *, as_document: bool) -> int:
    """Show what happened to RECIPIENT (an id) of CAMPAIGN; neither link nor full address."""
    async with open_session(keys="look") as app:
        snapshot = await find_campaign(app, campaign)
        timelines = Timelines(app.pages, app.campaigns, app.vault)
        document = await timelines.of(snapshot, recipient)
    if as_document:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        events = [(event["at"], event["event"]) for event in document["events"]]
        click.echo("\n".join([*facts(_person(document)), *columns((), events)]))
    return OK


def _person(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    addresses = (f"{channel} {shown}" for channel, shown in document["addresses"].items())
    reason = f" ({document['reason']})" if document["reason"] else ""
    removed = _removed(document)
    yield "recipient", document["recipient"]
    yield "campaign", document["campaign"]
    yield "addresses", ", ".join(addresses)
    yield "place", f"batch {document['batch']}, position {document['position']}"
    yield "batch", document["batch_state"] + reason
    po_number = document["po_number"] or "no PO number"
    yield "order", f"{document['order_id'] or 'none'} ({po_number})"
    yield "link", document["link_ref"] or ("removed" if removed else "none yet")
    if removed:
        yield "removed", removed
    for delivery in document["earlier"] + document["deliveries"]:
        yield delivery["channel"], _delivery(delivery)


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
