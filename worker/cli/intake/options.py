"""The arguments and options that `run` and `submit` have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.files.problems import PROBLEMS_SHOWN
from pipeline.intake.recipient_sources import RecipientsFile
from pipeline.intake.request import IntakeRequest
from worker.cli.console.actor import actor_option
from worker.cli.intake.recipients_type import RecipientsType
from worker.cli.intake.submission import SubmitCommand

C = TypeVar("C", bound=Callable[..., Any])

_IN_COMMON: tuple[Callable[[Any], Any], ...] = (
    click.argument("campaign", metavar="CAMPAIGN.toml", type=click.Path(path_type=Path)),
    click.argument("recipients", type=RecipientsType()),
    click.option("--yes", is_flag=True, help="Do not ask."),
    click.option(
        "--skip-invalid", is_flag=True, help="Go on without the rows that have problems."
    ),
    click.option(
        "--rejected",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Where --skip-invalid writes the rows it leaves out; default: NAME.rejected.csv "
        "beside RECIPIENTS.",
    ),
    actor_option,
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON document at the end, as `status --json` does.",
    ),
)


def input_options(function: C) -> C:
    """Give a command the two files and what may be said about them."""
    for decorate in reversed(_IN_COMMON):
        function = decorate(function)
    return function


def submit_command(
    campaign: Path,
    recipients: RecipientsFile,
    *,
    yes: bool = False,
    skip_invalid: bool = False,
    rejected: Path | None = None,
    as_json: bool = False,
    start_ms: int = 0,
) -> SubmitCommand:
    """Read the campaign file and return what was asked for, from the values of the options."""
    request = IntakeRequest(
        definition=CampaignDefinition.from_file(campaign),
        recipients=recipients,
        skip_invalid=skip_invalid,
        keep=None if as_json else PROBLEMS_SHOWN,
        start_ms=start_ms,
    )
    return SubmitCommand(request=request, rejected=rejected or _rejected_path(recipients), yes=yes)


def _rejected_path(recipients: RecipientsFile) -> Path:
    """Return where left-out rows go unless somebody says so: NAME.rejected.csv."""
    source = recipients.path or Path("recipients")
    return source.with_name(f"{source.stem}.rejected.csv")
