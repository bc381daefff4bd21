"""Checks a campaign and its rows, without a ledger and without the outside."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, TypeVar

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import Recipient
from pipeline.intake.files.problems import Problem
from pipeline.intake.preflight.findings import IntakeFindings
from pipeline.intake.preflight.ports import IntakePorts
from pipeline.intake.preflight.previews import MessagePreview, message_previews
from pipeline.intake.preflight.sms_estimate import SmsCounter
from pipeline.intake.recipients import Summary
from pipeline.intake.request import IntakeRequest

_ROWS_AT_ONCE = 500  # some milliseconds

T = TypeVar("T")


async def examine(
    request: IntakeRequest,
    ports: IntakePorts | None = None,
    problems: Iterable[Problem] = (),
    *,
    warnings: Iterable[str] = (),
    preview: int = 0,
) -> IntakeFindings:
    """
    Read all recipients; return everything that is wrong, with the *problems* known before.

    Without *ports* no message is composed: there are no previews, and no estimate of SMS.
    """
    definition, source = request.definition, request.recipients
    before = [*definition.problems, *problems, *([source.problem] if source.problem else [])]
    campaign = definition.campaign or definition.stand_in()
    summary, first, texting = None, list[Recipient](), None
    if campaign is not None and not source.problem:
        texting = SmsCounter(campaign, ports) if ports else None
        summary, first = await _read(request, campaign, texting, preview)
    shown: tuple[MessagePreview, ...] = ()
    if definition.campaign is not None and ports and not before:
        shown = tuple(message_previews(definition.campaign, first, ports.composer))
    return IntakeFindings(
        campaign=definition.campaign,
        summary=summary,
        before=tuple(before),
        warnings=tuple(warnings),
        previews=shown,
        texting=texting.estimate() if texting else None,
        skip_invalid=request.skip_invalid,
    )


@contextmanager
def rejected_output(
    request: IntakeRequest, given: TextIO | None = None
) -> Iterator[TextIO | None]:
    """
    Return where rejected rows are written to: *given*, or a null writer.

    The reader leaves out rows with problems if it has such a writer, so *skip_invalid* always has
    one.
    """
    if given is not None or not request.skip_invalid:
        yield given
        return
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        yield null


async def _read(
    request: IntakeRequest, campaign: Campaign, texting: SmsCounter | None, preview: int
) -> tuple[Summary, list[Recipient]]:
    """Read all rows; return their summary, and the first *preview* of those accepted."""
    first: list[Recipient] = []
    with rejected_output(request) as rejected:
        rows = request.recipients.rows(campaign, keep=request.keep, rejected=rejected)
        async for row in _interruptible(rows):
            if texting is not None:
                texting.count(row.recipient)
            if len(first) < preview:
                first.append(row.recipient)
    return rows.summary, first


async def _interruptible(rows: Iterable[T]) -> AsyncIterator[T]:
    """Yield *rows* and let other tasks run in between, so that Ctrl-C and SIGTERM work."""
    for number, row in enumerate(rows):
        if number % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
        yield row
