"""Mode "all": every channel with one link; and people who want no more messages."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.support.served import Served, served
from tests.support.waiting import wait_until_sync

PEOPLE = 60
CAMPAIGN = """
id = "{id}"
name = "Every channel"

[reward]
product_id = "CVS"
value = "10.00"

[delivery]
channels = ["email", "sms"]
mode = "all"

[email]
subject = "Your reward"
text = "Your reward: {{{{ link }}}}"

[sms]
body = "Your reward: {{{{ link }}}}"
"""
HEARD = {"kind": "inbound", "result": "taken"}
Person = tuple[str, str]
Row = dict[str, str]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, "--keep", "maildir") as found:
        yield found


def submit(site: Served, people: Sequence[Person], campaign_id: str = "e2e") -> None:
    toml, rows = (site.world.directory / f"{campaign_id}.{end}" for end in ("toml", "csv"))
    toml.write_text(CAMPAIGN.format(id=campaign_id), "utf-8")
    lines = [f"r{n},{email},{phone}" for n, (email, phone) in enumerate(people)]
    rows.write_text("\n".join(["id,email,phone", *lines]) + "\n", "utf-8")
    site.world.run("submit", str(toml), str(rows))


def finished(site: Served, campaign_id: str = "e2e", *, receipts: int) -> list[Row]:
    """Wait until a campaign has ended and its receipts are in; return its report."""

    def over() -> bool:
        status = site.world.status(campaign_id)
        deliveries = status["deliveries"]
        settled = deliveries["delivered"] + deliveries["failed"] + deliveries["suppressed"]
        return bool(status["state"] == "finished" and settled >= receipts)

    # Asking the sandbox costs nothing, asking us takes a process.
    wait_until_sync(lambda: arrived(site, campaign_id))
    wait_until_sync(over)
    text = site.world.run("report", campaign_id, "--format", "csv")
    return list(csv.DictReader(io.StringIO(text)))


def arrived(site: Served, campaign_id: str) -> bool:
    """Whether the campaign's orders are placed, and the fate of every SMS so far is known."""
    pos = [order["po"] for order in site.world.account()["orders"]]
    fates = {message["status"] for message in site.messages()}
    placed = any(po.startswith(f"CC-{campaign_id}-") for po in pos)
    return placed and fates <= {"delivered", "undelivered"}


def outcomes(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    return [(row["recipient_id"], row["channel"], row["status"]) for row in rows]


def test_every_channel_is_sent_the_same_link_and_the_report_shows_each(site: Served) -> None:
    people = [
        (
            f"{'bounce-' * (n % 10 == 0)}person-{n}@example.com",
            f"+1500777{n:04d}" if n % 10 == 5 else f"+1555{n:07d}",
        )
        for n in range(PEOPLE)
    ]
    submit(site, people)

    rows = finished(site, receipts=PEOPLE + PEOPLE // 10)

    tenth = PEOPLE // 10
    assert Counter((row["channel"], row["status"], row["code"]) for row in rows) == {
        ("email", "sent", ""): PEOPLE - tenth,
        ("email", "failed", "smtp_550_5.1.1"): tenth,
        ("sms", "delivered", ""): PEOPLE - tenth,
        ("sms", "failed", "twilio_30005"): tenth,
    }
    assert [row["recipient_id"] for row in rows] == [f"r{n}" for n in range(PEOPLE) for _ in "es"]
    assert site.world.status()["people"] == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    links: defaultdict[str, set[str]] = defaultdict(set)
    for mail in site.world.mails():
        links[mail.to].update(mail.links)
    for message in site.messages():
        links[message["to"]].update(message["links"])
    refs: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        refs[row["recipient_id"]].add(row["link_ref"])
    for n, (email, phone) in enumerate(people):
        assert len(links[email] | links[phone]) == 1, "one person, one link, over both channels"
        assert len(refs[f"r{n}"]) == 1
    assert len({link for found in links.values() for link in found}) == PEOPLE
    site.world.run("verify", "e2e")


def test_stop_keeps_sms_from_everybody_who_said_so_until_start_and_unsubscribing_mails(
    site: Served,
) -> None:
    people = [(f"person-{n}@example.com", f"+1555000000{n}") for n in range(3)]
    silent, unsubscribed, _ = people
    submit(site, people, "first")
    finished(site, "first", receipts=3)

    unsubscribe(site, unsubscribed[0])
    site.write(silent[1], "Stop")
    wait_until_sync(lambda: site.metric("webhooks_total", **HEARD) == 1)
    submit(site, people, "second")

    assert outcomes(finished(site, "second", receipts=4)) == [
        ("r0", "email", "sent"),
        ("r0", "sms", "suppressed"),
        ("r1", "email", "suppressed"),
        ("r1", "sms", "delivered"),
        ("r2", "email", "sent"),
        ("r2", "sms", "delivered"),
    ]
    site.write(silent[1], "Start")
    wait_until_sync(lambda: site.metric("webhooks_total", **HEARD) == 2)
    submit(site, people, "third")

    assert outcomes(finished(site, "third", receipts=4))[:3] == [
        ("r0", "email", "sent"),
        ("r0", "sms", "delivered"),
        ("r1", "email", "suppressed"),
    ]
    assert [mail.to for mail in site.world.mails()].count(unsubscribed[0]) == 1
    assert [message["to"] for message in site.messages()].count(silent[1]) == 2


def unsubscribe(site: Served, address: str) -> None:
    """Do what a mail program does when somebody clicks on "unsubscribe" (RFC 8058)."""
    maildir = Path(site.world.addresses["maildir"]) / "new"
    mails = [HeaderParser().parsestr(file.read_text("utf-8")) for file in maildir.iterdir()]
    [mail] = [mail for mail in mails if mail["To"] == address]
    url = mail["List-Unsubscribe"].strip().strip("<>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url.startswith(f"{site.public}/unsubscribe/")
    assert httpx.get(url, timeout=120).status_code == 200
    httpx.post(url, data={"List-Unsubscribe": "One-Click"}, timeout=120).raise_for_status()
