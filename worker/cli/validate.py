"""The command `validate`: everything that is wrong, before anything is ordered."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO, TypeVar

import click

from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import ClaimcastError
from pipeline.domain.models import Recipient
from pipeline.intake.files.problems import SHOWN, Problem
from pipeline.intake.recipients import Summary, read_recipients
from worker.cli.checks import product_problem_alone, require_channels, template_problem
from worker.cli.configured import settings
from worker.cli.entry import BAD_INPUT, OK, command, explained
from worker.cli.findings import Findings
from worker.cli.inputs import CampaignFile, RecipientsFile, RecipientsType
from worker.cli.preview import Preview, previews
from worker.cli.texting import Texting

_ROWS_AT_ONCE = 1000

T = TypeVar("T")


@click.command()
@click.argument("campaign", metavar="CAMPAIGN.toml", type=click.Path(path_type=Path))
@click.argument("recipients", type=RecipientsType())
@click.option(
    "--preview",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Show the messages of the first N people, with a link that is worth nothing.",
)
@click.option(
    "--skip-invalid",
    is_flag=True,
    help="Judge as `run --skip-invalid` does: rows with problems are left out.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every problem.")
@command
async def validate(
    campaign: Path, recipients: RecipientsFile, preview: int, *, skip_invalid: bool, as_json: bool
) -> int:
    """
    Check CAMPAIGN.toml and RECIPIENTS (CSV or NDJSON; - is standard input).

    Shows everything that is wrong, by line, then people, cost and whom each channel reaches. If
    the rewards API is configured, the product is checked there. Sends nothing, orders nothing and
    needs no Redis. Exits with 0 if the campaign can be submitted, with 2 if not.
    """
    found = settings()
    file = CampaignFile.read(campaign)
    problems, warnings = await _looked_up(found, file)
    findings = await examine(
        file,
        recipients,
        settings=found,
        problems=problems,
        keep=None if as_json else SHOWN,
        preview=preview,
        skip_invalid=skip_invalid,
    )
    findings = replace(findings, warnings=warnings)
    if as_json:
        click.echo(json.dumps(findings.as_json(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(findings.lines()))
    return OK if findings.usable else BAD_INPUT


async def examine(
    file: CampaignFile,
    recipients: RecipientsFile,
    *,
    settings: Settings,
    problems: Iterable[Problem] = (),
    keep: int | None = SHOWN,
    preview: int = 0,
    skip_invalid: bool = False,
) -> Findings:
    """
    Return everything that is wrong with both files, added to the *problems* known before.

    The first *keep* problems of the recipients are kept (None: all).
    """
    before = [*file.problems, *problems]
    campaign = file.campaign or file.stand_in()
    if recipients.problem:
        before.append(recipients.problem)
    summary, first, texting = None, list[Recipient](), None
    if campaign is not None and recipients.stream is not None:
        texting = Texting(campaign, settings.twilio.segment_price if settings.twilio else None)
        summary, first = await _read(
            recipients,
            campaign,
            texting,
            keep=keep,
            preview=preview,
            skip_invalid=skip_invalid,
        )
    shown: tuple[Preview, ...] = ()
    if file.campaign is not None and not before:
        shown = tuple(previews(file.campaign, first, settings))
    return Findings(
        campaign=file.campaign,
        summary=summary,
        before=tuple(before),
        previews=shown,
        texting=texting.estimate() if texting else None,
        skip_invalid=skip_invalid,
    )


async def _read(
    recipients: RecipientsFile,
    campaign: Campaign,
    texting: Texting,
    *,
    keep: int | None,
    preview: int,
    skip_invalid: bool,
) -> tuple[Summary, list[Recipient]]:
    """Read all rows; return what they add up to, and the first *preview* of those accepted."""
    assert recipients.stream is not None  # noqa: S101 - the caller has looked
    first: list[Recipient] = []
    with _nowhere(wanted=skip_invalid) as rejected:
        intake = read_recipients(
            recipients.stream, campaign, name=recipients.name, keep=keep, rejected=rejected
        )
        async for row in _interruptible(intake):
            texting.count(row.recipient)
            if len(first) < preview:
                first.append(row.recipient)
    return intake.summary, first


async def _interruptible(rows: Iterable[T]) -> AsyncIterator[T]:
    """Yield *rows* so that Ctrl-C and SIGTERM are heeded in the middle of a million of them."""
    for number, row in enumerate(rows):
        if number % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
        yield row


@contextmanager
def _nowhere(*, wanted: bool) -> Iterator[TextIO | None]:
    """Give rejected rows a place: that there is one makes the intake judge as when they go."""
    if not wanted:
        yield None
        return
    with Path(os.devnull).open("w", encoding="utf-8") as file:
        yield file


async def _looked_up(found: Settings, file: CampaignFile) -> tuple[list[Problem], tuple[str, ...]]:
    """Return the problems that only the outside knows of, and warnings."""
    campaign = file.campaign
    if campaign is None:
        return [], ()
    problems, warnings = [template_problem(found, file, campaign)], []
    try:
        await require_channels(found, campaign)
    except ClaimcastError as error:
        warnings.append(str(error))
    if found.rewards is None:
        warnings.append("The product was not checked, as the rewards API is not configured.")
    else:
        try:
            problems.append(await product_problem_alone(found.rewards, file, campaign))
        except ClaimcastError as error:
            warnings.append(f"The product was not checked: {explained(error)[0]}")
    return [problem for problem in problems if problem], tuple(warnings)
