"""The command `edit`: other messages or limits for a campaign in flight."""

import time
from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.preflight.sms_estimate import SmsCounter, SmsEstimate
from pipeline.operations.edit import Change, change_of, check_editable, make_change, on_the_wire
from pipeline.operations.edit_dry_run import EditDryRun, remaining_deliveries
from pipeline.store.audit_trail import AuditAction
from pipeline.store.formats.snapshot import CampaignSnapshot
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.configured import settings
from worker.cli.console.confirm import confirm
from worker.cli.console.entry import BAD_INPUT, NOT_ALL_REACHED, OK, command, say
from worker.cli.intake.findings import sms_totals
from worker.wiring.engine import open_app
from worker.wiring.intake import intake_ports
from worker.wiring.ledger import App

_PROGRESS_EVERY = 100_000  # people; about ten seconds
_SETTLING_SECONDS = 5.0  # a pause reaches every worker within one


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that can be made, and what it comes to."""

    wanted: Campaign
    change: Change
    dry_run: EditDryRun
    sms: SmsEstimate | None

    def show(self) -> None:
        say(f"{self.wanted.name} ({self.wanted.id})")
        say(f"  changes  {', '.join(self.change.keys)}")
        say(f"  concerns {times(self.dry_run.people, 'person', 'people')} still to be written to")
        if self.sms is not None and self.sms.messages:
            say(f"  texting  {sms_totals(self.sms)}")


@click.command()
@click.argument("campaign")
@click.argument("campaign_file", metavar="CAMPAIGN.toml", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@actor_option
@command
async def edit(campaign: str, campaign_file: Path, *, yes: bool) -> int:
    """
    Change the messages or limits of the paused CAMPAIGN to those of CAMPAIGN.toml.

    Nothing else may differ from what was submitted. The messages are made for everybody who may
    still be sent one before anything is changed. Who was written to keeps what they got;
    `recipient` says which version that was. On a terminal you are asked once.
    """
    found = settings()
    wanted = _read(campaign_file)
    async with open_app(found) as app:
        snapshot = await find_campaign(app, campaign)
        change = await change_of(app.campaigns, snapshot, wanted)
        if not change.keys:
            say(f'Campaign "{campaign}" is like that already: nothing was changed.')
            return OK
        check_editable(snapshot)
        proposal = await _dry_run(app, snapshot, wanted, change)
        if proposal.dry_run.failure_count:
            return _refuse(proposal.dry_run)
        proposal.show()
        if not confirm("Change it?", yes=yes):
            return NOT_ALL_REACHED
        await _make(app, snapshot, proposal)
    return OK


def _read(path: Path) -> Campaign:
    definition = CampaignDefinition.from_file(path)
    if definition.campaign is None:
        for problem in definition.problems:
            say(str(problem))
        msg = f"{times(len(definition.problems), 'problem')} in {path.name}: nothing was changed."
        raise InputError(msg)
    return definition.campaign


async def _dry_run(
    app: App, snapshot: CampaignSnapshot, wanted: Campaign, change: Change
) -> Proposal:
    """Make the new messages for everybody who may still be sent one, and throw them away."""
    ports = intake_ports(app.settings)
    counter, now = SmsCounter(wanted, ports), time.time()
    composers = {each: ports.composer(wanted, each) for each in wanted.delivery.channels}
    dry_run = EditDryRun(wanted, composers)
    async for recipient, channels in remaining_deliveries(
        app.campaigns, app.batches, app.deliveries, snapshot, wanted
    ):
        dry_run.compose_for(recipient, channels, now)
        counter.count(recipient)
        if dry_run.people % _PROGRESS_EVERY == 0:
            say(f"{dry_run.people:,} people looked at")
    return Proposal(wanted, change, dry_run, counter.estimate())


def _refuse(dry_run: EditDryRun) -> int:
    for line in dry_run.failures:
        say(line)
    more = dry_run.failure_count - len(dry_run.failures)
    if more:
        say(f"... and {times(more, 'more person', 'more people')}.")
    people = times(dry_run.people, "person", "people")
    say(
        f"Error: for {dry_run.failure_count:,} of {people} still "
        "to be written to the new message cannot be made: nothing was changed."
    )
    return BAD_INPUT


async def _make(app: App, snapshot: CampaignSnapshot, proposal: Proposal) -> None:
    campaign, change = snapshot.campaign_id, proposal.change
    left = await on_the_wire(app.campaigns, snapshot.serial, patience=_SETTLING_SECONDS)
    await app.audit.add(
        AuditAction.EDIT,
        actor=actor(),
        campaign=campaign,
        version=change.made_from + 1,
        changed=", ".join(change.keys),
    )
    version = await make_change(app.campaigns, snapshot, proposal.wanted, change)
    if left:
        say(f"{times(left, 'message')} may still be on the wire, as before the change.")
    say(
        f'Campaign "{campaign}" has version {version} now. `claimcast resume {campaign}` lets it '
        "go on."
    )
