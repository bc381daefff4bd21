"""Campaigns through a real Postfix: what it takes, what it refuses and returns, and its death."""

import csv
import io
import subprocess
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.end_to_end.support.world import COMMAND, World, judge, world
from tests.real.parts import PATIENCE, POSTFIX
from tests.real.postfix import Postfix
from tests.support.waiting import wait_until_sync

PEOPLE = 300
FEW = 20
BOUNCES = "bounces@example.com"
pytestmark = POSTFIX.marks()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, "--async-delay", "0.2", "--keep", "maildir") as found:
        yield found


def postfix(here: World, **settings: str) -> Postfix:
    """Set up a Postfix before the sandbox's sink, and have claimcast send through it."""
    found = Postfix(here.directory / "postfix", here.addresses["smtp_port"], **settings)
    here.env |= {
        "CLAIMCAST_SMTP__PORT": str(found.port),
        "CLAIMCAST_SMTP__SECURITY": "starttls",
        "SSL_CERT_FILE": str(found.authority),
    }
    return found


def reached(here: World) -> set[str]:
    return {mail.to for mail in here.mails()}


def report(here: World) -> dict[str, tuple[str, str]]:
    """Return what claimcast says of each person: the status and its code."""
    text = here.run("report", "e2e", "--format", "csv")
    return {
        row["recipient_id"]: (row["status"], row["code"])
        for row in csv.DictReader(io.StringIO(text))
    }


def notifications(here: World) -> list[bytes]:
    """Return the mails that came back to us."""
    mails = [path.read_bytes() for path in Path(here.addresses["maildir"], "new").iterdir()]
    return [mail for mail in mails if is_report(message_from_bytes(mail))]


def is_report(mail: Message) -> bool:
    return mail.get_content_type() == "multipart/report"


def test_everybody_gets_one_link_over_starttls(here: World) -> None:
    with postfix(here).run():
        here.run("run", *here.campaign(PEOPLE))
        # Postfix has taken everything by now, and still relays it.
        wait_until_sync(lambda: len(here.mails()) >= PEOPLE, PATIENCE)

    judge(here, PEOPLE)
    # Postfix would make Message-IDs of its own, under its own name, where it found ours unfit.
    assert {mail.message_id.partition("@")[2] for mail in here.mails()} == {"example.com>"}


def test_a_certificate_of_somebody_else_gets_no_mail(here: World) -> None:
    with postfix(here).run():
        del here.env["SSL_CERT_FILE"]
        here.run("submit", *here.campaign(FEW))
        here.start("worker", log="worker.log")
        here.wait_for_state("blocked")

    assert here.status()["reason"] == "smtp_certificate"
    assert here.mails() == []


def test_a_refused_mailbox_fails_one_person_and_nobody_else(here: World) -> None:
    # As a lookup of its own recipients does: in the envelope, before any content.
    refused = "check_recipient_access inline:{ { person-7@example.com = 550 5.1.1 Not here } }"
    with postfix(here, smtpd_recipient_restrictions=refused).run():
        here.run("run", *here.campaign(PEOPLE), code=1)
        wait_until_sync(lambda: len(here.mails()) >= PEOPLE - 1, PATIENCE)

    others = {n for n in range(PEOPLE) if n != 7}
    sent = {f"r{n}": ("sent", "") for n in others}
    assert report(here) == sent | {"r7": ("failed", "smtp_550_5.1.1")}
    assert sorted(mail.to for mail in here.mails()) == sorted(
        f"person-{n}@example.com" for n in others
    )


def test_what_postfix_returns_is_recorded_as_a_bounce(here: World) -> None:
    here.env["CLAIMCAST_SMTP__BOUNCES"] = BOUNCES
    toml, people = here.campaign(FEW)
    # Postfix takes this one, the sink behind it does not: the sender is told by a mail.
    Path(people).write_text(Path(people).read_text("utf-8").replace("person-7@", "bounce-7@"))
    with postfix(here).run():
        here.run("run", toml, people)
        wait_until_sync(lambda: notifications(here), PATIENCE)

    [raw] = notifications(here)
    subprocess.run([*COMMAND, "bounces"], input=raw, env=here.env, cwd=here.directory, check=True)

    assert report(here)["r7"] == ("bounced", "bounce_5.1.1")
    assert {each for name, each in report(here).items() if name != "r7"} == {("sent", "")}


def test_postfix_killed_in_the_middle_costs_nobody_a_link(here: World) -> None:
    here.env["CLAIMCAST_LIMITS__EMAIL"] = "5/s"  # a minute's work, so that it is in the middle
    handoff = postfix(here)
    with handoff.run(kill=True):
        process = here.start("run", *here.campaign(PEOPLE))
        wait_until_sync(lambda: len(here.mails()) >= FEW, PATIENCE)
    assert process.poll() is None

    here.run("limits", "set", "email", "unlimited")
    with handoff.run():
        process.communicate(timeout=PATIENCE)
        wait_until_sync(lambda: len(reached(here)) >= PEOPLE, PATIENCE)

    assert process.returncode == 0
    judge(here, PEOPLE, repeats=True)
