"""The command `validate`: everything that is wrong, before anything is ordered."""

import json
from dataclasses import replace
from pathlib import Path

import click

from config.settings import Settings
from pipeline.domain.errors import ClaimcastError
from pipeline.intake.files.problems import SHOWN, Problem
from worker.cli.console.configured import settings
from worker.cli.console.entry import BAD_INPUT, OK, command, explained
from worker.cli.intake.examination import examine
from worker.cli.intake.files import CampaignFile, RecipientsFile, RecipientsType
from worker.cli.intake.preflight import product_problem_alone, require_channels, template_problem


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
