"""The commands that account for everything: report and verify."""

from pathlib import Path
from typing import Literal

import click
import structlog

from pipeline.audit import Action
from pipeline.errors import InputError
from pipeline.remote import OrderComparison
from pipeline.report import Report, Reveal, write_report
from pipeline.status import iso
from pipeline.store.campaigns import Snapshot
from pipeline.verify import Findings, Verifier
from worker.app import App, open_app, open_rewards
from worker.cli.actor import actor, actor_option
from worker.cli.campaigns import found_campaign, times
from worker.cli.entry import NOT_ALL_REACHED, OK, command, say, settings
from worker.cli.output import opened_output

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
    """Write one row per delivery of CAMPAIGN, in the order of the list."""
    reveal = Reveal(links=with_links, addresses=with_addresses)
    if reveal and not yes:
        msg = "Whoever has a link can spend it: revealing links or addresses needs --yes."
        raise InputError(msg)
    async with open_app(settings(), keys="look") as app:
        snapshot = await found_campaign(app, campaign)
        if reveal and snapshot.text("purging"):
            msg = f'The links and addresses of campaign "{campaign}" were purged.'
            raise InputError(msg)
        if reveal:
            await _record(app, snapshot.campaign_id, reveal)
        rows = Report(app.redis, app.vault, reveal).rows(snapshot.serial, snapshot.batch_count)
        with opened_output(output) as out:
            written = await write_report(rows, out, file_format, reveal)
    if output is not None:
        say(f"{times(written, 'row')} written to {output}.")
    return OK


async def _record(app: App, campaign: str, reveal: Reveal) -> None:
    await app.audit.add(
        Action.REVEAL,
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


@click.command()
@click.argument("campaign")
@click.option("--remote", is_flag=True, help="Also read every order again at the rewards API.")
@command
async def verify(campaign: str, *, remote: bool) -> int:
    """Recount the invariants of CAMPAIGN by decrypting every batch, and the audit trail."""
    async with open_app(settings(), keys="look") as app:
        snapshot = await found_campaign(app, campaign)
        verifier = Verifier(app.redis, app.campaigns, app.vault)
        if remote:
            findings = await _with_remote(app, verifier, snapshot.serial)
        else:
            findings = await verifier.run(snapshot.serial)
        broken = await app.audit.violations()
    for fault in broken:
        click.echo(f"audit: {fault}")
    _tell(findings, snapshot, remote=remote)
    return NOT_ALL_REACHED if findings.count or broken else OK


async def _with_remote(app: App, verifier: Verifier, serial: str) -> Findings:
    async with open_rewards(app) as rewards:
        configured = app.settings.rewards
        path = configured.links_path if configured is not None else None
        comparison = OrderComparison(rewards.client, app.limiter, path)
        return await verifier.run(serial, comparison)


def _tell(findings: Findings, snapshot: Snapshot, *, remote: bool) -> None:
    for violation in findings.violations:
        click.echo(str(violation))
    hidden = findings.count - len(findings.violations)
    if hidden:
        click.echo(f"... and {times(hidden, 'more violation')}.")
    asked = f", {times(findings.orders_read, 'order')} read again" if remote else ""
    click.echo(
        f"{snapshot.campaign_id}: {times(findings.batches, 'batch', 'batches')}, "
        f"{times(findings.recipients, 'recipient')}, {times(findings.links, 'link')}, "
        f"ordered for {findings.value}{asked}: "
        f"{times(findings.count, 'violation') if findings.count else 'every invariant holds'}."
    )
    if findings.purged_ms:
        say(
            f"People and links were purged on {iso(findings.purged_ms)}: "
            "checked was what is left, the ledger, its counters and the orders."
        )
    if not findings.compared:
        say(
            "The counters were not compared: the campaign moved on during every count. "
            "Run this again when it is paused or finished."
        )
    elif findings.unfinished:
        say("The campaign has not ended: the counters were compared while they stood still.")
