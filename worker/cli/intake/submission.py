"""Taking a campaign in from its two files, for `run` and `submit`, at somebody's terminal."""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.intake import service
from pipeline.intake.recipients import Summary
from pipeline.intake.request import IntakeRequest
from pipeline.intake.submission import Confirm, Submitted
from worker.cli.console.actor import actor
from worker.cli.console.entry import say
from worker.cli.intake.findings import cost, people
from worker.cli.progress.bars import Display
from worker.wiring.engine import open_app
from worker.wiring.intake import fleet_intake_ports, intake_ledger, intake_ports
from worker.wiring.ledger import App


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitCommand:
    """What a person wants submitted; *yes*: without a question; left-out rows go to `rejected`."""

    request: IntakeRequest
    rejected: Path
    yes: bool = False


async def check_files(command: SubmitCommand, settings: Settings) -> Campaign:
    """
    Return the campaign if its files can be read, its templates used, and Redis reached.

    Raises InvalidInputError with everything that is wrong in both files, and then what `open_app`
    raises.
    """
    campaign = await service.check_definition(command.request, intake_ports(settings))
    if settings.redis.url is not None:
        # Fails within seconds where a worker waits a minute; the embedded server waits for us.
        async with open_app(settings):
            pass
    return campaign


async def submit_files(
    app: App, command: SubmitCommand, campaign: Campaign, shown: Display, *, sends: bool
) -> Submitted:
    """
    Submit the campaign, asking a person at a terminal first; repeating it changes nothing.

    *sends* says that this process is also to send, so that its mail server must answer. Raises
    what `pipeline.intake.service` raises, and InputError; nothing is left behind then.
    """
    confirm, rejected_rows = (
        _confirmation(campaign, shown, yes=command.yes),
        _rejected_rows(command),
    )
    ledger, ports = intake_ledger(app), fleet_intake_ports(app)
    request = command.request
    for warning in await service.preflight(request, ports, ledger, sends=sends):
        say(f"Warning: {warning}")
    with rejected_rows as rejected:
        return await service.submit(
            request,
            ledger,
            actor=actor(),
            confirm=confirm,
            progress=shown.submitting,
            rejected=rejected,
        )


def _confirmation(campaign: Campaign, shown: Display, *, yes: bool) -> Confirm:
    """Return what shows people and cost, and asks the person at the terminal."""

    async def confirmed(summary: Summary) -> bool:
        say(f"{campaign.name} ({campaign.id})")
        say(f"  people  {people(summary)}")
        say(f"  cost    {cost(campaign.reward, summary.accepted)}")
        if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return True
        with shown.suspended():
            answer = await _answer("Order the rewards and send them? [y/N] ")
        return answer.strip().lower() in {"y", "yes"}

    return confirmed


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


@contextmanager
def _rejected_rows(command: SubmitCommand) -> Iterator[TextIO | None]:
    """
    Give left-out rows a place, which becomes a file (0600) only once the campaign is taken in.

    The rows are people's data, so until then they lie in a file without a name.
    """
    if not command.request.skip_invalid:
        yield None
        return
    path = command.rejected
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
