"""
The intake: checks, previews and submits a campaign and its people.

Commands and jobs use the same functions. They pass what differs as values (`IntakeRequest`), as
ports, or as callbacks: one that asks for confirmation, and one that reports the progress.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn, TextIO

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import ClaimcastError, InputError, RewardsError
from pipeline.domain.tasks import stop
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.files.problems import Problem
from pipeline.intake.preflight.examination import examine, rejected_output
from pipeline.intake.preflight.findings import IntakeFindings, InvalidInputError
from pipeline.intake.preflight.outside import (
    check_providers,
    product_fault,
    require_all,
    require_channels,
)
from pipeline.intake.preflight.ports import IntakePorts, ProductsOpener
from pipeline.intake.recipient_sources import RecipientSource
from pipeline.intake.recipients import Intake
from pipeline.intake.request import IntakeRequest
from pipeline.intake.submission import (
    Confirm,
    IntakeLedger,
    InvalidRecipientsError,
    Submission,
    Submitted,
)
from pipeline.rewards.error_sentences import error_sentence

_TICK = 0.2  # seconds

IntakeProgress = Callable[[int, float], None]
"""Called now and then with how many rows were read, and which share of the whole that is."""


async def validate(
    request: IntakeRequest, ports: IntakePorts, *, preview: int = 0
) -> IntakeFindings:
    """
    Return everything that is wrong, and the first *preview* messages: the dry run.

    A check that is not possible here becomes a warning. Reads the recipients to their end; needs
    no ledger, stores nothing and sends nothing.
    """
    problems, warnings = await _looked_up(request.definition, ports)
    return await examine(request, ports, problems, warnings=warnings, preview=preview)


async def check_definition(request: IntakeRequest, ports: IntakePorts) -> Campaign:
    """
    Return the campaign if it can be read, its templates used, and its recipients opened.

    Raises InvalidInputError with everything that is wrong, also with the rows.
    """
    problems = _template_problems(request.definition, ports)
    if problems:
        await _refuse(request, ports, *problems)
    return await _readable(request, ports)


async def preflight(
    request: IntakeRequest, ports: IntakePorts, ledger: IntakeLedger, *, sends: bool
) -> tuple[str, ...]:
    """
    Check all that must be right before money is spent.

    With *sends* the campaign is also to be sent from here, so its rewards API and channels must be
    set up and answer. Returns as warnings what could not be checked. A campaign that was submitted
    before passes unchecked. Raises InvalidInputError, InputError, UnavailableError, and the errors
    of the rewards API.
    """
    campaign = await _readable(request, ports)
    if await ledger.campaigns.find(campaign.id) is not None:
        return ()
    if sends:
        await require_all(ports, campaign)
    if ports.products is None:
        return ("the product was not checked, as the rewards API is not configured here.",)
    problems = await _product_problems(request.definition, campaign, ports.products)
    if problems:
        await _refuse(request, ports, *problems)
    if sends:
        await check_providers(ports.channels, campaign)
    return ()


async def submit(
    request: IntakeRequest,
    ledger: IntakeLedger,
    *,
    actor: str,
    confirm: Confirm | None = None,
    progress: IntakeProgress | None = None,
    rejected: TextIO | None = None,
) -> Submitted:
    """
    Take the campaign in for *actor*; repeating it with the same content changes nothing.

    *confirm* is called once everything was read. Rows that are left out are written to *rejected*.
    Raises InvalidInputError with what is wrong in the definition or the rows, and what
    `Submission.run` raises; nothing is left behind then.
    """
    campaign = await _readable(request)
    with rejected_output(request, rejected) as output:
        rows = request.recipients.rows(campaign, keep=request.keep, rejected=output)
        submission = Submission(
            ledger,
            campaign,
            rows,
            expected_rows=request.recipients.expected_rows,
            actor=actor,
            start_ms=request.start_ms,
            skip_invalid=request.skip_invalid,
        )
        try:
            async with _reported(rows, request.recipients, progress):
                return await submission.run(confirm)
        except InvalidRecipientsError as error:
            findings = IntakeFindings(
                campaign=campaign, summary=error.summary, skip_invalid=request.skip_invalid
            )
            raise InvalidInputError(findings) from None


async def _readable(request: IntakeRequest, ports: IntakePorts | None = None) -> Campaign:
    """Return the campaign; raises InvalidInputError if it or its recipients cannot be read."""
    campaign = request.definition.campaign
    if campaign is None or request.recipients.problem:
        await _refuse(request, ports)
    return campaign


async def _refuse(
    request: IntakeRequest, ports: IntakePorts | None, *problems: Problem
) -> NoReturn:
    """Raise InvalidInputError with *problems* and everything else that is wrong."""
    raise InvalidInputError(await examine(request, ports, problems))


async def _looked_up(
    definition: CampaignDefinition, ports: IntakePorts
) -> tuple[list[Problem], list[str]]:
    """Return the problems that only the channels and the outside can find, and warnings."""
    campaign = definition.campaign
    if campaign is None:
        return [], []
    problems, warnings = _template_problems(definition, ports), []
    try:
        await require_channels(ports.channels, campaign)
    except ClaimcastError as error:
        warnings.append(str(error))
    if ports.products is None:
        warnings.append("The product was not checked, as the rewards API is not configured.")
        return problems, warnings
    try:
        problems += await _product_problems(definition, campaign, ports.products)
    except ClaimcastError as error:
        why = error_sentence(error) if isinstance(error, RewardsError) else str(error)
        warnings.append(f"The product was not checked: {why}")
    return problems, warnings


def _template_problems(definition: CampaignDefinition, ports: IntakePorts) -> list[Problem]:
    """Return what is wrong with the templates as the channels themselves compile them."""
    campaign = definition.campaign
    if campaign is None:
        return []
    try:
        for channel in campaign.delivery.channels:
            ports.composer(campaign, channel)
    except InputError as error:
        return [Problem(where=definition.name, message=str(error))]
    return []


async def _product_problems(
    definition: CampaignDefinition, campaign: Campaign, products: ProductsOpener
) -> list[Problem]:
    fault = await product_fault(products, campaign.reward)
    return [definition.problem("reward", fault)] if fault else []


@asynccontextmanager
async def _reported(
    rows: Intake, source: RecipientSource, progress: IntakeProgress | None
) -> AsyncIterator[None]:
    """Report how much of the source was read, until all of it was read."""
    if progress is None:
        yield
        return

    async def report() -> None:
        share = 0.0
        while share < 1:
            share = source.share_read
            progress(rows.summary.rows, share)
            await asyncio.sleep(_TICK)

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        await stop(task)
