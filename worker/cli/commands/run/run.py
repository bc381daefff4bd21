"""The command `run`: from two files to links in inboxes, in one process."""

from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from pipeline.domain.models import CampaignState
from pipeline.intake.preflight.findings import InvalidInputError
from pipeline.intake.recipient_sources import RecipientsFile
from pipeline.intake.submission import DeclinedError
from pipeline.views.campaign_status import campaign_state, ended
from worker.cli.console.configured import settings
from worker.cli.console.entry import command
from worker.cli.intake.options import input_options, submit_command
from worker.cli.intake.results import conclude, decline, refuse
from worker.cli.intake.submission import SubmitCommand, check_files, submit_files
from worker.cli.progress.bars import display
from worker.cli.progress.follow import work
from worker.wiring.engine import open_app, open_engine
from worker.wiring.ledger import App


@click.command()
@input_options
@command
async def run(
    campaign: Path,
    recipients: RecipientsFile,
    *,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - what click has read and checked
) -> int:
    """
    Submit CAMPAIGN.toml for RECIPIENTS and work it here until it is finished.

    RECIPIENTS is CSV or NDJSON, - is standard input. Everything is checked before anything is
    ordered, and on a terminal you are asked once. Running it again, after it finished, while it
    runs or after it was interrupted, goes on from where it stands: nobody gets a second link.

    Ctrl-C settles what is on the wire and stops; a second one stops at once. Exits with 0 if
    everybody was reached, 1 if not, 2 if the input is wrong, 3 if something cannot be reached.
    """
    wanted = submit_command(campaign, recipients, as_json=as_json, **asked)
    return await perform(wanted, settings(), as_json=as_json)


async def perform(
    wanted: SubmitCommand, found: Settings, *, as_json: bool = False, program: str = "claimcast"
) -> int:
    """
    Do what the command `run` does and return its exit code; *program* begins its hints.

    May be repeated. Raises what `worker.cli.console.entry.explained` puts into words.
    """
    try:
        definition = await check_files(wanted, found)
        async with open_app(found, patient=True) as app:
            with display(found.log_format) as shown:
                submitted = await submit_files(app, wanted, definition, shown, sends=True)
                serial, stopped = submitted.serial, False
                if submitted.created or await _is_active(app, serial):
                    async with open_engine(app) as engine:
                        stopped = await work(app, engine, serial, shown)
            return await conclude(app, serial, as_json=as_json, stopped=stopped, program=program)
    except InvalidInputError as error:
        return refuse(error.findings, as_json=as_json)
    except DeclinedError as error:
        return decline(error)


async def _is_active(app: App, serial: str) -> bool:
    """
    Return whether there is work to do for a campaign that was submitted before.

    Running it again says that what blocked it is mended; a pause is for `resume` to end.
    """
    snapshot = await app.campaigns.snapshot(serial)
    state, _ = campaign_state(snapshot)
    if state is CampaignState.BLOCKED:
        await app.campaigns.steer(serial, "resume")
    return not ended(snapshot)
