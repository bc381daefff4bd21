"""Campaigns through a real Postfix: what it takes, what it refuses and returns, and its death."""

import csv
import io
import subprocess
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.end_to_end.support.world import COMMAND, World, judge, open_world
from tests.real.parts import PATIENCE, POSTFIX
from tests.real.postfix import Postfix
from tests.support.waiting import wait_until_sync

PEOPLE = 300
FEW = 20
BOUNCES = "bounces@example.com"
pytestmark = POSTFIX.marks()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, "--async-delay", "0.2", "--keep", "maildir") as found:
        yield found


def postfix(world: World, **settings: str) -> Postfix:
    """Set up a Postfix before the sandbox's sink, and have claimcast send through it."""
    found = Postfix(world.directory / "postfix", world.addresses["smtp_port"], **settings)
    world.env |= {
        "CLAIMCAST_SMTP__PORT": str(found.port),
        "CLAIMCAST_SMTP__SECURITY": "starttls",
        "SSL_CERT_FILE": str(found.authority),
    }
    return found


def reached(world: World) -> set[str]:
    return {mail.to for mail in world.mails()}


def report(world: World) -> dict[str, tuple[str, str]]:
    """Return what claimcast says of each person: the status and its code."""
    text = world.run("report", "e2e", "--format", "csv")
    return {
        row["recipient_id"]: (row["status"], row["code"])
        for row in csv.DictReader(io.StringIO(text))
    }


def notifications(world: World) -> list[bytes]:
    """Return the mails that came back to us."""
    mails = [path.read_bytes() for path in Path(world.addresses["maildir"], "new").iterdir()]
    return [mail for mail in mails if is_report(message_from_bytes(mail))]


def is_report(mail: Message) -> bool:
    return mail.get_content_type() == "multipart/report"


def test_everybody_gets_one_link_over_starttls(world: World) -> None:
    with postfix(world).run():
        world.run("run", *world.campaign(PEOPLE))
        # Postfix has taken everything by now, and still relays it.
        wait_until_sync(lambda: len(world.mails()) >= PEOPLE, PATIENCE)

    judge(world, PEOPLE)
    # Postfix would make Message-IDs of its own, under its own name, where it found ours unfit.
    assert {mail.message_id.partition("@")[2] for mail in world.mails()} == {"example.com>"}


def test_a_certificate_of_somebody_else_gets_no_mail(world: World) -> None:
    with postfix(world).run():
        del world.env["SSL_CERT_FILE"]
        world.run("submit", *world.campaign(FEW))
        world.start("worker", log="worker.log")
        world.wait_for_state("blocked")

    assert world.status()["reason"] == "smtp_certificate"
    assert world.mails() == []


def test_a_refused_mailbox_fails_one_person_and_nobody_else(world: World) -> None:
    # As a lookup of its own recipients does: in the envelope, before any content.
    refused = "check_recipient_access inline:{ { person-7@example.com = 550 5.1.1 Not here } }"
    with postfix(world, smtpd_recipient_restrictions=refused).run():
        world.run("run", *world.campaign(PEOPLE), code=1)
        wait_until_sync(lambda: len(world.mails()) >= PEOPLE - 1, PATIENCE)

    others = {n for n in range(PEOPLE) if n != 7}
    sent = {f"r{n}": ("sent", "") for n in others}
    assert report(world) == sent | {"r7": ("failed", "smtp_550_5.1.1")}
    assert sorted(mail.to for mail in world.mails()) == sorted(
        f"person-{n}@example.com" for n in others
    )


def test_what_postfix_returns_is_recorded_as_a_bounce(world: World) -> None:
    world.env["CLAIMCAST_SMTP__BOUNCES"] = BOUNCES
    toml, people = world.campaign(FEW)
    # Postfix takes this one, the sink behind it does not: the sender is notified by a mail.
    Path(people).write_text(Path(people).read_text("utf-8").replace("person-7@", "bounce-7@"))
    with postfix(world).run():
        world.run("run", toml, people)
        wait_until_sync(lambda: notifications(world), PATIENCE)

    [raw] = notifications(world)
    subprocess.run(
        [*COMMAND, "bounces"], input=raw, env=world.env, cwd=world.directory, check=True
    )

    assert report(world)["r7"] == ("bounced", "bounce_5.1.1")
    assert {each for name, each in report(world).items() if name != "r7"} == {("sent", "")}


def test_postfix_killed_in_the_middle_costs_nobody_a_link(world: World) -> None:
    world.env["CLAIMCAST_LIMITS__EMAIL"] = "5/s"  # a minute's work, so that it is in the middle
    handoff = postfix(world)
    with handoff.run(kill=True):
        process = world.start("run", *world.campaign(PEOPLE))
        wait_until_sync(lambda: len(world.mails()) >= FEW, PATIENCE)
    assert process.poll() is None

    world.run("limits", "set", "email", "unlimited")
    with handoff.run():
        process.communicate(timeout=PATIENCE)
        wait_until_sync(lambda: len(reached(world)) >= PEOPLE, PATIENCE)

    assert process.returncode == 0
    judge(world, PEOPLE, repeats=True)
