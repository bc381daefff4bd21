"""The arguments and options that `run` and `submit` have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from worker.cli.console.actor import actor_option
from worker.cli.intake.files import CampaignFile, RecipientsFile, RecipientsType
from worker.cli.intake.submission import Order

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


def order_of(
    campaign: Path,
    recipients: RecipientsFile,
    *,
    yes: bool,
    skip_invalid: bool,
    rejected: Path | None,
    as_json: bool,
    start_ms: int = 0,
) -> Order:
    """Read the campaign file and return what was asked for, from the values of the options."""
    return Order(
        file=CampaignFile.read(campaign),
        recipients=recipients,
        yes=yes,
        skip_invalid=skip_invalid,
        rejected=rejected,
        every_problem=as_json,
        start_ms=start_ms,
    )
