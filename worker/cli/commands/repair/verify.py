"""The command `verify`: the invariants, recounted."""

import click

from pipeline.domain.clock import iso
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.verification.remote_orders import OrderComparison
from pipeline.verification.verifier import VerificationFindings, Verifier
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.configured import settings
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say
from worker.wiring.engine import open_app, open_rewards
from worker.wiring.ledger import App


@click.command()
@click.argument("campaign")
@click.option("--remote", is_flag=True, help="Also read every order again at the rewards API.")
@command
async def verify(campaign: str, *, remote: bool) -> int:
    """
    Verify the stored data of CAMPAIGN, and the audit trail.

    Every batch is decrypted and the invariants are recounted.
    """
    async with open_app(settings(), keys="look") as app:
        snapshot = await find_campaign(app, campaign)
        verifier = Verifier(app.pages, app.campaigns, app.lookups, app.vault)
        if remote:
            findings = await _with_remote(app, verifier, snapshot.serial)
        else:
            findings = await verifier.run(snapshot.serial)
        broken = await app.audit.violations()
    for fault in broken:
        click.echo(f"audit: {fault}")
    _print(findings, snapshot, remote=remote)
    return NOT_ALL_REACHED if findings.count or broken else OK


async def _with_remote(app: App, verifier: Verifier, serial: str) -> VerificationFindings:
    async with open_rewards(app) as rewards:
        configured = app.settings.rewards
        path = configured.links_path if configured is not None else None
        comparison = OrderComparison(rewards.client, app.limiter, path)
        return await verifier.run(serial, comparison)


def _print(findings: VerificationFindings, snapshot: CampaignSnapshot, *, remote: bool) -> None:
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
