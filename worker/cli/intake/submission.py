"""Taking a campaign in from its two files, for `run` and `submit`."""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.intake.files.problems import SHOWN, Problem
from pipeline.intake.recipients import Intake, Summary, read_recipients
from pipeline.intake.submission import InvalidRecipientsError, Submission, Submitted
from worker.cli.console.actor import actor
from worker.cli.console.entry import say
from worker.cli.intake.examination import examine
from worker.cli.intake.files import CampaignFile, RecipientsFile
from worker.cli.intake.findings import Findings, InvalidInputError, cost, people
from worker.cli.intake.preflight import (
    check_channels,
    product_problem,
    require_all,
    template_problem,
)
from worker.cli.progress.bars import Display
from worker.wiring.ledger import App

_TICK = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person asked for; `rejected` is where left-out rows go, None beside the file."""

    file: CampaignFile
    recipients: RecipientsFile
    yes: bool = False
    skip_invalid: bool = False
    rejected: Path | None = None
    every_problem: bool = False
    start_ms: int = 0

    @property
    def keep(self) -> int | None:
        return None if self.every_problem else SHOWN

    @property
    def rejected_path(self) -> Path:
        if self.rejected is not None:
            return self.rejected
        source = self.recipients.path or Path("recipients")
        return source.with_name(f"{source.stem}.rejected.csv")


async def checked(order: Order, settings: Settings) -> Campaign:
    """
    Return the campaign if its files can be read and its templates used.

    Raises InvalidInputError with everything that is wrong in both files. Needs no Redis.
    """
    campaign, problem = order.file.campaign, None
    if campaign is not None:
        problem = template_problem(settings, order.file, campaign)
    if campaign is None or problem or order.recipients.problem:
        await _refuse(order, settings, *([problem] if problem else []))
    return campaign


async def take_in(
    app: App, order: Order, campaign: Campaign, shown: Display, *, sends: bool
) -> Submitted:
    """
    Submit the campaign, asking a person at a terminal first; repeating it changes nothing.

    *sends* says that this process is also to send, so that its mail server must answer. Raises
    InvalidInputError, UnavailableError, and what Submission raises; nothing is left behind then.
    """
    if await app.campaigns.find(campaign.id) is None:
        await _check_outside(app, order, campaign, sends=sends)
    with _rejected(order) as output:
        intake = read_recipients(
            order.recipients.stream,  # type: ignore[arg-type] # `checked` has looked
            campaign,
            name=order.recipients.name,
            keep=order.keep,
            rejected=output,
        )
        try:
            async with _watched(intake, order.recipients, shown):
                return await Submission(
                    app.campaigns,
                    campaign,
                    intake,
                    expected_rows=order.recipients.expected_rows,
                    batch_size=app.settings.batch_size,
                    audit=app.audit,
                    actor=actor(),
                    start_ms=order.start_ms,
                    skip_invalid=order.skip_invalid,
                ).run(lambda summary: _confirmed(order, campaign, summary, shown))
        except InvalidRecipientsError as error:
            raise InvalidInputError(
                Findings(campaign=campaign, summary=error.summary, skip_invalid=order.skip_invalid)
            ) from None


async def _check_outside(app: App, order: Order, campaign: Campaign, *, sends: bool) -> None:
    """Look at what must be right before money is spent; later on it would be waited for."""
    if sends:
        await require_all(app.settings, campaign)
    if sends or app.settings.rewards is not None:
        problem = await product_problem(app, order.file, campaign)
        if problem:
            await _refuse(order, app.settings, problem)
    else:
        say("Warning: the product was not checked, as the rewards API is not configured here.")
    if sends:
        await check_channels(app.settings, campaign)


async def _refuse(order: Order, settings: Settings, *problems: Problem) -> NoReturn:
    findings = await examine(
        order.file,
        order.recipients,
        settings=settings,
        problems=problems,
        keep=order.keep,
        skip_invalid=order.skip_invalid,
    )
    raise InvalidInputError(findings)


async def _confirmed(order: Order, campaign: Campaign, summary: Summary, shown: Display) -> bool:
    say(f"{campaign.name} ({campaign.id})")
    say(f"  people  {people(summary)}")
    say(f"  cost    {cost(campaign.reward, summary.accepted)}")
    if order.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    with shown.suspended():
        answer = await _answer("Order the rewards and send them? [y/N] ")
    return answer.strip().lower() in {"y", "yes"}


async def _answer(question: str) -> str:
    """Ask and wait for a line, without a thread that would outlive a Ctrl-C."""
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201 - a prompt
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


@asynccontextmanager
async def _watched(
    intake: Intake, recipients: RecipientsFile, shown: Display
) -> AsyncIterator[None]:
    """Show how far the file was read; a person who is being asked is not disturbed."""

    async def watch() -> None:
        share = 0.0
        while share < 1:
            position = recipients.stream.tell() if recipients.stream else 0
            share = position / recipients.size if recipients.size else 1.0
            shown.submitting(intake.summary.rows, share)
            await asyncio.sleep(_TICK)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def _rejected(order: Order) -> Iterator[TextIO | None]:
    """
    Give left-out rows a place, which becomes a file (0600) only once the campaign is taken in.

    The rows are people's data, so until then they lie in a file without a name.
    """
    if not order.skip_invalid:
        yield None
        return
    path = order.rejected_path
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        msg = f"{path} cannot be written: name another place with --rejected."
        raise InputError(msg)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as spool:
        yield spool
        if spool.tell():
            spool.seek(0)
            _write_privately(path, spool)
            say(f"The rows with problems are in {path}.")


def _write_privately(path: Path, content: TextIO) -> None:
    """Put *content* at *path*, whole from the moment it is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(
            part,
            "w",
            encoding="utf-8",
            newline="",
            opener=lambda name, flags: os.open(name, flags, 0o600),
        ) as file:
            shutil.copyfileobj(content, file)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
