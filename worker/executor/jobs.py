"""Job functions as arq sees them: unpack, call, answer."""

import asyncio
import re
from typing import Any, cast

import structlog

from channels.registry import ADAPTERS
from pipeline.domain.batch import Unit
from pipeline.domain.campaign import CAMPAIGN_ID, Campaign
from pipeline.domain.clock import uptime
from pipeline.domain.errors import ClaimcastError
from pipeline.execution.unit_runner import UnitRunner
from pipeline.intake import service
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.preflight.findings import IntakeFindings, InvalidInputError
from pipeline.intake.recipient_sources import RecipientsList
from pipeline.intake.request import IntakeRequest
from pipeline.intake.submission import DifferentContentError
from pipeline.store.codec import decode_unit
from pipeline.views.campaign_status import campaign_state
from worker.executor.handoff import Handoff
from worker.executor.slots import Slots
from worker.wiring.intake import intake_ledger
from worker.wiring.ledger import App

log = structlog.get_logger()

_MOST_RECIPIENTS = 10_000
_SHOWN = 5  # problems of the rows in one answer
_HANDOFF_SECONDS = 20.0  # one unit more may begin until then
_PATIENCE_SECONDS = 1.0


async def run_units(ctx: dict[str, Any], *args: object, **more: object) -> None:
    """
    Work on batches, given by serial, number, lane and dispatch number; may run 0, 1 or N times.

    Then it works on what it is handed, for as long as a job may: arq starts the next one slowly.
    What is not that, such as a job of a later version, is reported: the batch is due again anyway.
    """
    units = _units(args, more)
    if not units:
        log.error("job.unreadable", function="run_units")
        return
    async with asyncio.TaskGroup() as runners:
        for unit in units:
            runners.create_task(_work_on(*_parts(ctx), unit))


async def _work_on(slots: Slots, units: UnitRunner, handoff: Handoff, unit: Unit | None) -> None:
    until = uptime() + _HANDOFF_SECONDS
    while unit is not None:
        slots.start(unit)
        try:
            await units.run(unit)
        finally:
            slots.release(unit)
        unit = await handoff.next(_PATIENCE_SECONDS) if uptime() < until else None


async def submit_campaign(ctx: dict[str, Any], *args: object, **more: object) -> dict[str, str]:
    """
    Take in a campaign that an upstream system enqueued (docs/integrate/arq.md).

    Returns {"campaign": id, "state": …}, or {"error": what is wrong}; never raises for bad input.
    """
    app = cast("App", ctx["app"])
    campaign = _campaign(args, more)
    if campaign is None:
        log.error("job.unreadable", function="submit_campaign")
        return {"error": "submit_campaign takes one argument: the campaign, as an object"}
    try:
        return await _submit(app, campaign)
    except InvalidInputError as error:
        findings = error.findings
        return _refused(campaign, _first_problems(findings), problems=findings.problem_count)
    except DifferentContentError as error:
        # Its sentence names keys, amounts and lines, and nothing of a recipient.
        return _refused(campaign, str(error), why=str(error))
    except (ClaimcastError, TypeError, ValueError) as error:
        return _refused(campaign, str(error), why=type(error).__name__)


def _parts(ctx: dict[str, Any]) -> tuple[Slots, UnitRunner, Handoff]:
    return (
        cast("Slots", ctx["slots"]),
        cast("UnitRunner", ctx["units"]),
        cast("Handoff", ctx["handoff"]),
    )


def _units(args: tuple[object, ...], more: dict[str, object]) -> list[Unit]:
    """Return the units of a job; none of them if one is not what it should be."""
    if len(args) != 1 or more or not isinstance(args[0], list):
        return []
    units = [decode_unit(item) for item in args[0]]
    return [] if None in units else [unit for unit in units if unit is not None]


def _campaign(args: tuple[object, ...], more: dict[str, object]) -> dict[str, Any] | None:
    match (*args, *more.values()):
        case (dict(campaign),) if args or "campaign" in more:
            return dict(campaign)
    return None


async def _submit(app: App, data: dict[str, Any]) -> dict[str, str]:
    rows = data.pop("recipients", None)
    definition = CampaignDefinition.from_json(data)
    if unfit := _unfit(rows):
        answer = "; ".join((*map(str, definition.problems), unfit))
        return _refused(data, answer, why=unfit, problems=len(definition.problems) + 1)
    if answer := _unserved(definition.campaign):
        return _refused(data, answer, why=answer)
    request = IntakeRequest(definition=definition, recipients=RecipientsList(rows), keep=_SHOWN)
    # Whether product and channels are right is seen when it is worked: nobody waits here.
    submitted = await service.submit(request, intake_ledger(app), actor="arq")
    log.info("campaign.submitted", campaign=data["id"], created=submitted.created)
    state, _ = campaign_state(await app.campaigns.snapshot(submitted.serial))
    return {"campaign": data["id"], "state": state}


def _unfit(rows: Any) -> str:  # noqa: ANN401 - whatever another system has sent
    """Return what is wrong with the recipients as a list, or an empty string."""
    if not isinstance(rows, list) or not rows:
        return "campaign.recipients must be a list of recipients that is not empty"
    if len(rows) > _MOST_RECIPIENTS:
        return f"{len(rows)} recipients are more than the {_MOST_RECIPIENTS} per job"
    return ""


def _unserved(campaign: Campaign | None) -> str:
    """Return which channel of *campaign* this version does not have, or an empty string."""
    channels = campaign.delivery.channels if campaign else ()
    missing = [channel for channel in channels if channel not in ADAPTERS]
    return f"the channel {missing[0]} is not available in this version" if missing else ""


def _first_problems(findings: IntakeFindings) -> str:
    """Return the first problems, and whether they are all in the rows."""
    problems = "; ".join(map(str, findings.problems))
    if findings.campaign is None:
        return problems
    return f"{findings.problem_count} problems in the recipients; nothing was changed: {problems}"


def _refused(data: dict[str, Any], answer: str, **about: object) -> dict[str, str]:
    """Log that the campaign is refused, with what is known *about* it, and return the answer."""
    given = data.get("id")
    sound = isinstance(given, str) and re.fullmatch(CAMPAIGN_ID, given)
    log.warning("campaign.refused", campaign=given if sound else None, **about)
    return {"error": answer}
