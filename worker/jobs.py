"""Job functions as arq sees them: unpack, call, answer."""

import asyncio
from typing import Any, cast

import structlog

from channels.registry import ADAPTERS
from pipeline.batch import Lane, Unit
from pipeline.clock import uptime
from pipeline.errors import ClaimcastError
from pipeline.intake.campaign_file import campaign_from_dict
from pipeline.intake.recipients import check_recipients
from pipeline.status import campaign_state
from pipeline.submission import InvalidRecipientsError, Submission
from pipeline.units import Units
from worker.ledger import App
from worker.relay import Relay
from worker.slots import Slots

log = structlog.get_logger()

_MOST_RECIPIENTS = 10_000
_SHIFT_SECONDS = 20.0  # one unit more may begin until then
_PATIENCE_SECONDS = 1.0


async def run_units(ctx: dict[str, Any], *args: object, **more: object) -> None:
    """
    Work on batches; serial, batch, lane and turn of each, so it may run 0, 1 or N times.

    Then it works on what it is handed, for as long as a job may: arq starts the next one slowly.
    What is not that, such as a job of a later version, is reported: the batch is due again anyway.
    """
    units = _units(args, more)
    if not units:
        log.error("job.unreadable", function="run_units")
        return
    async with asyncio.TaskGroup() as runners:
        for unit in units:
            runners.create_task(_go_on(*_parts(ctx), unit))


async def _go_on(slots: Slots, units: Units, relay: Relay, unit: Unit | None) -> None:
    until = uptime() + _SHIFT_SECONDS
    while unit is not None:
        slots.start(unit)
        try:
            await units.run(unit)
        finally:
            slots.give_back(unit)
        unit = await relay.next(_PATIENCE_SECONDS) if uptime() < until else None


async def submit_campaign(ctx: dict[str, Any], *args: object, **more: object) -> dict[str, str]:
    """
    Take in a campaign that an upstream system enqueued (contract.md, "arq").

    Returns {"campaign": id, "state": …}, or {"error": what is wrong}; never raises for bad input.
    """
    app = cast("App", ctx["app"])
    campaign = _campaign(args, more)
    if campaign is None:
        log.error("job.unreadable", function="submit_campaign")
        return {"error": "submit_campaign takes one argument: the campaign, as an object"}
    try:
        return await _submit(app, campaign)
    except InvalidRecipientsError as error:
        problems = "; ".join(str(problem) for problem in error.summary.problems[:5])
        log.warning("campaign.refused", problems=error.summary.problem_count)
        return {"error": f"{error}: {problems}"}
    except (ClaimcastError, TypeError, ValueError) as error:
        log.warning("campaign.refused", why=type(error).__name__)
        return {"error": str(error)}


def _parts(ctx: dict[str, Any]) -> tuple[Slots, Units, Relay]:
    return cast("Slots", ctx["slots"]), cast("Units", ctx["units"]), cast("Relay", ctx["relay"])


def _units(args: tuple[object, ...], more: dict[str, object]) -> list[Unit]:
    """Return the units of a job; none of them if one is not what it should be."""
    if len(args) != 1 or more or not isinstance(args[0], list):
        return []
    units = [_unit(item) for item in args[0]]
    return [] if None in units else [unit for unit in units if unit is not None]


def _unit(item: object) -> Unit | None:
    match item:
        case [str(serial), int(batch), str(lane), int(turn)] if lane in set(Lane):
            return Unit(serial, batch, Lane(lane), turn)
    return None


def _campaign(args: tuple[object, ...], more: dict[str, object]) -> dict[str, Any] | None:
    match (*args, *more.values()):
        case (dict(campaign),) if args or "campaign" in more:
            return dict(campaign)
    return None


async def _submit(app: App, data: dict[str, Any]) -> dict[str, str]:
    rows = data.pop("recipients", None)
    if not isinstance(rows, list) or not rows:
        return {"error": "campaign.recipients must be a list of recipients that is not empty"}
    if len(rows) > _MOST_RECIPIENTS:
        return {"error": f"{len(rows)} recipients are more than the {_MOST_RECIPIENTS} per job"}
    campaign, problems = campaign_from_dict(data)
    if campaign is None:
        return {"error": "; ".join(str(problem) for problem in problems)}
    missing = [channel for channel in campaign.delivery.channels if channel not in ADAPTERS]
    if missing:
        return {"error": f"the channel {missing[0]} is not available in this version"}
    submitted = await Submission(
        app.campaigns,
        campaign,
        check_recipients(rows, campaign),
        expected_rows=len(rows),
        batch_size=app.settings.batch_size,
        audit=app.audit,
        actor="arq",
    ).run()
    log.info("campaign.submitted", campaign=campaign.id, created=submitted.created)
    state, _ = campaign_state(await app.campaigns.snapshot(submitted.serial))
    return {"campaign": campaign.id, "state": state}
