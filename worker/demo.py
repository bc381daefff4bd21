"""
The demonstration behind `make demo`: 1,000 people, end to end, on parts that are in the box.

Everything lies in ./demo: the embedded Valkey, and the sandbox with its account and its mails.
An interrupted demo goes on at the next start, a finished one is followed by a new campaign.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from config.logging import configure_logging
from config.settings import Settings, load_settings
from pipeline.domain.errors import UnavailableError
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.recipient_sources import RecipientsFile
from pipeline.views.campaign_status import ended
from worker.cli.commands.operate.sandbox import sandbox_environment
from worker.cli.commands.run.run import perform
from worker.cli.console.entry import command, say
from worker.cli.intake.options import submit_command
from worker.cli.intake.recipients_type import RecipientsType
from worker.wiring.engine import open_app
from worker.wiring.ledger import App

EXAMPLE = Path(__file__).parents[1] / "examples" / "survey"

_ID = re.compile(r'^id = "[^"]*"', re.MULTILINE)


@click.command()
@command
async def demo() -> int:
    """Run the example survey against the sandbox, in the folder demo."""
    home = Path("demo")
    campaign = _campaign_in(home)
    with _sandbox(home / "sandbox") as addresses:
        found = _settings(home, addresses)
        wanted = submit_command(campaign, _people(), yes=True)
        # Kept open, so that the server is there to be asked how it ended.
        async with open_app(found, patient=True) as app:
            code = await perform(wanted, found, program=_program(found))
            if await _is_over(app, wanted.request.definition):
                shutil.rmtree(campaign.parent)
    say(f"\nThe mails are in {addresses['maildir']}, a Maildir that mail programs can open.")
    return code


def _campaign_in(home: Path) -> Path:
    """Return the campaign that is to be run: the interrupted one, or a new one."""
    folder = home / "campaign"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "campaign.toml"
    if not file.exists():
        shutil.copytree(
            EXAMPLE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.toml")
        )
        name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        text = (EXAMPLE / file.name).read_text("utf-8")
        # Whole from the moment it is there: an id that was run must not be lost.
        part = folder / "campaign.part"
        part.write_text(_ID.sub(f'id = "{name}"', text, count=1), "utf-8")
        part.replace(file)
    return file


def _people() -> RecipientsFile:
    return RecipientsType().convert(EXAMPLE / "recipients.csv", None, None)


async def _is_over(app: App, definition: CampaignDefinition) -> bool:
    campaign = definition.campaign
    serial = await app.campaigns.find(campaign.id) if campaign else None
    return serial is not None and ended(await app.campaigns.snapshot(serial))


def _settings(home: Path, addresses: Mapping[str, Any]) -> Settings:
    """Return settings for the demonstration only: nothing that is real must take part."""
    for name in [name for name in os.environ if name.upper().startswith("CLAIMCAST_")]:
        del os.environ[name]
    os.environ.update(sandbox_environment(addresses))
    os.environ["CLAIMCAST_STATE_DIR"] = str(home / "state")
    for limit in ("ORDERS", "READS", "EMAIL"):
        os.environ[f"CLAIMCAST_LIMITS__{limit}"] = "unlimited"
    found = load_settings(None)
    configure_logging(found.log_format)
    return found


def _program(found: Settings) -> str:
    """Return how commands begin that look at the demonstration afterwards."""
    script = Path(sys.executable).with_name("claimcast")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "worker.cli"]
    if script.is_relative_to(Path.cwd()):
        start[0] = os.path.relpath(start[0])
    return shlex.join([f"CLAIMCAST_STATE_DIR={found.state_dir}", *start])


@contextmanager
def _sandbox(directory: Path) -> Iterator[dict[str, Any]]:
    """Run a sandbox beside us, so that it does not slow us down; yields its addresses."""
    log = directory.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program, arguments as a list
            [sys.executable, "-m", "sandbox", "--dir", str(directory)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: we still need it to finish what we began
        )
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            line = process.stdout.readline()
            if not line:
                msg = f"The sandbox did not start; {log} says why."
                raise UnavailableError(msg)
            yield json.loads(line)
        finally:
            process.terminate()


if __name__ == "__main__":
    demo(prog_name="python -m worker.demo")
