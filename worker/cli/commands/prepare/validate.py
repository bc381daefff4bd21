"""The command `validate`: everything that is wrong, before anything is ordered."""

import json
from pathlib import Path

import click

from pipeline.intake import service
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.files.problems import PROBLEMS_SHOWN
from pipeline.intake.recipient_sources import RecipientsFile
from pipeline.intake.request import IntakeRequest
from worker.cli.console.configured import settings
from worker.cli.console.entry import BAD_INPUT, OK, command
from worker.cli.intake.findings import lines
from worker.cli.intake.recipients_type import RecipientsType
from worker.wiring.intake import intake_ports


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
    ports = intake_ports(settings())
    request = IntakeRequest(
        definition=CampaignDefinition.from_file(campaign),
        recipients=recipients,
        keep=None if as_json else PROBLEMS_SHOWN,
        skip_invalid=skip_invalid,
    )
    findings = await service.validate(request, ports, preview=preview)
    if as_json:
        click.echo(json.dumps(findings.as_json(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(lines(findings)))
    return OK if findings.usable else BAD_INPUT
