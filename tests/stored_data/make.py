"""
Make a data folder as an installation leaves it behind: `python -m tests.stored_data.make FOLDER`.

What is in the repository was made once, by the program of the day that its folder is named after,
and is never made again: later programs have to go on from it. It holds

* past    finished: a bounce that an SMS followed, somebody written to again, somebody erased
* half    stopped in the middle: batches planned, ordered, fulfilled and done, one of them begun
* paused  submitted and paused, nothing ordered; everybody is to have an e-mail and an SMS

and beside them a suppressed address, a rate limit of an operator, the sandbox's account, and in
expected.json what the program said of all this. Nobody was tried and waits for another try, and
what is ordered is completed long since when somebody reads on, so the folder does not age; only a
clock that stands before its day finds everything due later. Its key and its tokens open nothing
else: they are those of an embedded server and of a sandbox that were thrown away. Its people are
invented. What is kept from 2026-11-30 is of format 1 and has no mark, as that was before there was
one (pipeline/domain/stored_format.py).
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.end_to_end.support.world import COMMAND, World, open_world
from tests.pipeline.callbacks.notifications import notification
from tests.support.waiting import wait_until_sync
from worker.cli.commands.operate.sandbox import sandbox_environment

SANDBOX = ("--async-above", "5")
PAST, HALF, PAUSED = "past", "half", "paused"
SUPPRESSED = f"person-5@{HALF}.example.com"
NEW_NUMBER = "+14155559999"
BOUNCED, ERASED, WRITTEN_AGAIN = "r1", "r2", "r3"

PEOPLE = {PAST: 30, HALF: 240, PAUSED: 20}
BATCHES = 2 + 12 + 1  # of 20 people each
_SETTINGS = {
    "CLAIMCAST_BATCH_SIZE": "20",
    "CLAIMCAST_LIMITS__ORDERS": "2/s",
    "CLAIMCAST_SMTP__BOUNCES": "bounces@example.com",
    "CLAIMCAST_RETENTION": "off",  # what is finished stays, whenever somebody reads on
}
_CAMPAIGN = """
id = "{id}"
name = "Kept for later programs"

[reward]
product_id = "CVS"
value = "10.00"
currency = "USD"

[delivery]
channels = {channels}
mode = "{mode}"

[email]
subject = "Your reward, {{{{ name }}}}"
text = "Hello {{{{ name }}}}, your reward: {{{{ link }}}}"
html = "<p>Hello {{{{ name }}}}, <a href=\\"{{{{ link }}}}\\">your reward</a></p>"

[sms]
body = "Your reward: {{{{ link }}}}"
"""
_LEFT_OUT = shutil.ignore_patterns("*.log", "*.lock", "ready.json")


def settings(addresses: dict[str, Any]) -> dict[str, str]:
    """Return what an installation is set to beside the usual: SMS, bounces, small batches."""
    found = sandbox_environment(addresses)
    return _SETTINGS | {name: found[name] for name in found if "TWILIO" in name}


def said(here: World) -> dict[str, Any]:
    """Return what the program says of everything that is stored, for people and programs."""
    return {
        "status": {name: here.status(name) for name in PEOPLE},
        "report": {name: _json(here, "report", name, "--format", "json") for name in PEOPLE},
        "recipient": {
            f"{name}/{person}": _json(here, "recipient", name, person, "--json")
            for name in (PAST, HALF)
            for person in ("r0", BOUNCED, ERASED, WRITTEN_AGAIN, "r5")
        },
        "audit": [json.loads(line) for line in here.run("audit").splitlines()],
        "suppressed": here.run("suppress", "list", "--check", SUPPRESSED),
    }


def _json(here: World, *words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(here.run(*words))


def make(folder: Path) -> None:
    """Make the data folder *folder*, which must not exist."""
    with TemporaryDirectory() as place:
        with open_world(Path(place), *SANDBOX) as here:
            here.env |= settings(here.addresses)
            _finish_past(here)
            _submit(here, PAUSED, channels='["email", "sms"]', mode="all")
            here.run("pause", PAUSED)
            _stop_half(here)
            expected = json.dumps(said(here), indent=1) + "\n"
        shutil.copytree(place, folder, ignore=_LEFT_OUT)
    (folder / "expected.json").write_text(expected, "utf-8")


def _finish_past(here: World) -> None:
    _submit(here, PAST, channels='["email", "sms"]', mode="first")
    here.run("run", *files_of(here, PAST))
    wait_until_sync(lambda: _resend(here) == 0, timeout=90)  # the first is let settle for 30 s
    [sender] = [mail["sender"] for mail in mails(here) if mail["to"] == address(PAST, BOUNCED)]
    take_bounce(here, sender)
    here.run("run", *files_of(here, PAST))
    here.run("forget", PAST, ERASED, "--yes")


def _resend(here: World) -> int:
    words = ("resend", PAST, WRITTEN_AGAIN, "--phone", NEW_NUMBER, "--yes")
    with here.start(*words) as process:
        process.communicate()
        return process.returncode


def _submit(here: World, name: str, **values: str) -> None:
    toml, csv = (Path(file) for file in files_of(here, name))
    toml.write_text(_CAMPAIGN.format(id=name, **values), "utf-8")
    rows = [
        f"{person},{address(name, person)},{phone(name, person)},Zoë {person}"
        for person in people_of(name)
    ]
    csv.write_text("\n".join(["id,email,phone,name", *rows]) + "\n", "utf-8")
    here.run("submit", str(toml), str(csv))


def files_of(here: World, name: str) -> list[str]:
    """Return the paths of the campaign file and of the list of recipients."""
    return [str(here.directory / f"{name}.{kind}") for kind in ("toml", "csv")]


def people_of(campaign: str) -> list[str]:
    return [f"r{n}" for n in range(PEOPLE[campaign])]


def address(campaign: str, person: str) -> str:
    return f"person-{person.removeprefix('r')}@{campaign}.example.com"


def phone(campaign: str, person: str) -> str:
    return f"+1415555{list(PEOPLE).index(campaign)}{int(person.removeprefix('r')):03}"


def mails(here: World) -> list[dict[str, Any]]:
    """Return every mail that arrived, with its envelope sender."""
    answer = httpx.get(f"{here.addresses['control_url']}/mails", timeout=30)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


def take_bounce(here: World, sender: str) -> str:
    """Pipe in a notification that a mail from *sender* came back; return what is said to it."""
    done = subprocess.run(
        [*COMMAND, "bounces"],
        input=notification(f"<{sender}>"),
        env=here.env,
        cwd=here.directory,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stderr.decode()


def _stop_half(here: World) -> None:
    here.run("suppress", "add", "--email", SUPPRESSED)
    here.run("limits", "set", "email", "20/s")
    _submit(here, HALF, channels='["email"]', mode="first")
    worker = here.start("worker")
    wait_until_sync(lambda: here.status(HALF)["deliveries"]["sent"] > 40, timeout=60)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    found = here.status(HALF)
    batches, deliveries = found["batches"], found["deliveries"]
    assert all(batches[state] for state in ("planned", "ordered", "fulfilled", "done")), batches
    assert deliveries["sending"] == deliveries["uncertain"] == 0, deliveries


if __name__ == "__main__":
    make(Path(sys.argv[1]))
