"""Everything that is wrong with both files, found without ordering or sending anything."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, TypeVar

from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.models import Recipient
from pipeline.intake.files.problems import SHOWN, Problem
from pipeline.intake.recipients import Summary, read_recipients
from worker.cli.intake.files import CampaignFile, RecipientsFile
from worker.cli.intake.findings import Findings
from worker.cli.intake.preview import Preview, previews
from worker.cli.intake.sms_estimate import Texting

_ROWS_AT_ONCE = 1000

T = TypeVar("T")


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
