"""The command `submit`: the campaign is taken in here and worked by others."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from pipeline.domain.clock import iso
from pipeline.intake.preflight.findings import InvalidInputError
from pipeline.intake.recipient_sources import RecipientsFile
from pipeline.intake.submission import DeclinedError, Submitted
from pipeline.views.campaign_status import campaign_state, ended
from worker.cli.console.configured import settings
from worker.cli.console.entry import OK, command, say
from worker.cli.intake.options import input_options, submit_command
from worker.cli.intake.results import conclude, decline, print_document, refuse
from worker.cli.intake.submission import SubmitCommand, check_files, submit_files
from worker.cli.progress.bars import display
from worker.cli.progress.follow import wait_for_others
from worker.wiring.engine import open_app
from worker.wiring.ledger import App


class MomentType(click.ParamType[int]):
    """A point in time in ISO 8601, as ms since the epoch; without a zone it is local time."""

    name = "ISO-8601"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f'"{value}" is not a time such as 2026-12-01T09:00+01:00', param, ctx)
        if moment.tzinfo is None:
            moment = moment.astimezone()
            say(f"Without a time zone, {value} is taken as local time: {moment.isoformat()}")
        return round(moment.timestamp() * 1000)


@click.command()
@input_options
@click.option(
    "--at",
    "start_ms",
    type=MomentType(),
    default=0,
    help="Start then, e.g. 2026-12-01T09:00+01:00; without a time zone it is local time.",
)
@click.option("--wait", is_flag=True, help="Wait until it is finished; exit codes as of `run`.")
@command
async def submit(
    campaign: Path,
    recipients: RecipientsFile,
    *,
    start_ms: int,
    wait: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - what click has read and checked
) -> int:
    """
    Submit CAMPAIGN.toml for RECIPIENTS; `claimcast worker` works it, now or from --at on.

    RECIPIENTS is CSV or NDJSON, - is standard input. Everything is checked before, as `validate`
    does. Submitting the same again changes nothing; the same id with other content is refused.
    """
    found = settings()
    wanted = submit_command(campaign, recipients, as_json=as_json, start_ms=start_ms, **asked)
    try:
        return await _submit(wanted, found, wait=wait, as_json=as_json)
    except InvalidInputError as error:
        return refuse(error.findings, as_json=as_json)
    except DeclinedError as error:
        return decline(error)


async def _submit(wanted: SubmitCommand, found: Settings, *, wait: bool, as_json: bool) -> int:
    definition = await check_files(wanted, found)
    async with open_app(found, patient=wait) as app:
        with display(found.log_format) as shown:
            await _check_start(app, wanted.request.start_ms, definition.id)
            submitted = await submit_files(app, wanted, definition, shown, sends=False)
            await _announce(app, wanted.request.start_ms, submitted)
            stopped = wait and await wait_for_others(app, submitted.serial, shown)
        if wait:
            return await conclude(app, submitted.serial, as_json=as_json, stopped=stopped)
        if as_json:
            print_document(await app.campaigns.snapshot(submitted.serial))
        return OK


async def _check_start(app: App, start_ms: int, campaign_id: str) -> None:
    """Refuse a start in the past, unless it is that of a campaign submitted before."""
    past = start_ms and start_ms <= time.time() * 1000
    if past and await app.campaigns.find(campaign_id) is None:
        msg = f"{iso(start_ms)} is in the past; leave --at out to start now."
        raise click.BadParameter(msg, param_hint="--at")


async def _announce(app: App, start_ms: int, submitted: Submitted) -> None:
    """Say what was submitted, whether it waits for something, and who works it."""
    snapshot = await app.campaigns.snapshot(submitted.serial)
    name, start = snapshot.campaign_id, snapshot.starts_ms
    state, _ = campaign_state(snapshot)
    what = "submitted" if submitted.created else f"was submitted before, and is {state}"
    say(
        f"{name} {what}: {snapshot.recipients:,} people in {snapshot.batch_count:,} orders"
        + (f"; it starts at {iso(start)}." if start > snapshot.now_ms else ".")
    )
    if not submitted.created and start_ms not in {0, start}:
        say(f"Its start stays as it was then: {iso(start) or 'at once'}.")
    if not ended(snapshot) and not await app.workers.alive(snapshot.now_ms):
        say("No worker is running: start one with `claimcast worker`.")
