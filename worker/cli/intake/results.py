"""How `run` and `submit` end: what goes to standard output, what to people, which exit code."""

import json

import click

from pipeline.intake.preflight.findings import IntakeFindings
from pipeline.intake.submission import DeclinedError
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import as_json as status_document
from worker.cli.console.entry import BAD_INPUT, NOT_ALL_REACHED, say
from worker.cli.intake.findings import problem_lines, total
from worker.cli.progress.summary import closing_report, exit_code, remaining_work
from worker.wiring.ledger import App


async def conclude(
    app: App, serial: str, *, as_json: bool, stopped: bool, program: str = "claimcast"
) -> int:
    """Print the closing report, with *as_json* the document of `status`; return the exit code."""
    report = await closing_report(app, serial, program=program)
    click.echo("\n".join(report.lines()), err=as_json)
    if as_json:
        print_document(report.snapshot)
    if stopped:
        say(remaining_work(report.snapshot))
    return exit_code(report.snapshot)


def refuse(findings: IntakeFindings, *, as_json: bool) -> int:
    """Print everything that is wrong; return the exit code."""
    for line in problem_lines(findings):
        say(line)
    if as_json:
        click.echo(json.dumps(findings.as_json(), indent=2, ensure_ascii=False))
    say(f"Error: {total(findings)}; nothing was changed.")
    return BAD_INPUT


def decline(error: DeclinedError) -> int:
    """Print that nothing was done, to a person who said no; return the exit code."""
    say(str(error))
    return NOT_ALL_REACHED


def print_document(snapshot: CampaignSnapshot) -> None:
    """Print a campaign on standard output as `status --json` does."""
    click.echo(json.dumps(status_document(snapshot), indent=2))
