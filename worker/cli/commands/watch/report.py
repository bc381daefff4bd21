"""The command `report`: one row per delivery."""

from pathlib import Path
from typing import Literal

import click
import structlog

from pipeline.domain.errors import InputError
from pipeline.store.audit_trail import AuditAction
from pipeline.views.report import Disclosure, Report, write_report
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.configured import open_logged
from worker.cli.console.entry import OK, command, say
from worker.cli.console.output import opened_output
from worker.wiring.ledger import App

log = structlog.get_logger()


@click.command()
@click.argument("campaign")
@click.option(
    "--format", "file_format", type=click.Choice(["csv", "json"]), default="csv", show_default=True
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file (mode 0600) instead of standard output.",
)
@click.option("--with-links", is_flag=True, help="Reveal the links; needs --yes.")
@click.option("--with-addresses", is_flag=True, help="Reveal the addresses; needs --yes.")
@click.option("--yes", is_flag=True, help="Reveal what was asked for; it is recorded.")
@actor_option
@command
async def report(
    campaign: str,
    *,
    file_format: Literal["csv", "json"],
    output: Path | None,
    with_links: bool,
    with_addresses: bool,
    yes: bool,
) -> int:
    """Export one row per delivery of CAMPAIGN, in the order of the list."""
    reveal = Disclosure(links=with_links, addresses=with_addresses)
    if reveal and not yes:
        msg = "Whoever has a link can spend it: revealing links or addresses needs --yes."
        raise InputError(msg)
    async with open_logged(keys="look") as app:
        snapshot = await find_campaign(app, campaign)
        if reveal and snapshot.purging:
            msg = f'The links and addresses of campaign "{campaign}" were purged.'
            raise InputError(msg)
        if reveal:
            await _record(app, snapshot.campaign_id, reveal)
        rows = Report(app.pages, app.vault, reveal).rows(snapshot.serial, snapshot.batch_count)
        with opened_output(output) as out:
            written = await write_report(rows, out, file_format, reveal)
    if output is not None:
        say(f"{times(written, 'row')} written to {output}.")
    return OK


async def _record(app: App, campaign: str, reveal: Disclosure) -> None:
    await app.audit.add(
        AuditAction.REVEAL,
        actor=actor(),
        campaign=campaign,
        links=reveal.links,
        addresses=reveal.addresses,
    )
    log.warning(
        "report.revealed",
        campaign=campaign,
        links_shown=reveal.links,
        addresses_shown=reveal.addresses,
    )
