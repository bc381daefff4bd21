"""SMS, fallback and the way back: everybody once, by the right channel, with the same link."""

import os
import signal
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.support.world import COMMAND, World, open_world
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync

PEOPLE = 240
CAMPAIGN = """
id = "e2e"
name = "Both channels"

[reward]
product_id = "CVS"
value = "10.00"

[delivery]
channels = [{channels}]

[email]
subject = "Your reward"
text = "Your reward: {{{{ link }}}}"

[sms]
body = "Your reward: {{{{ link }}}}"
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[World]:
    """An installation with `serve` and one worker, and a sandbox that reports back to it."""
    public = f"http://127.0.0.1:{free_port()}"
    before = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "CLAIMCAST_STATE_DIR": str(tmp_path / "state"),
        "CLAIMCAST_PUBLIC_URL": public,
    }
    bounces = subprocess.run(
        [*COMMAND, "bounces", "--url"], env=before, cwd=tmp_path, check=True, capture_output=True
    )
    options = ["--async-above", "50", "--async-delay", "0.5", "--bounce-delay", "0.2"]
    options += ["--bounce-url", bounces.stdout.decode().strip()]
    options += ["--sms-inbound-url", f"{public}/webhooks/twilio/inbound"]
    with open_world(tmp_path, *options) as world:
        world.env |= before | {
            "CLAIMCAST_SMTP__BOUNCES": "bounces@example.com",
            "CLAIMCAST_TWILIO__ACCOUNT_SID": world.addresses["account_sid"],
            "CLAIMCAST_TWILIO__AUTH_TOKEN": world.addresses["auth_token"],
            "CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006",
            "CLAIMCAST_TWILIO__BASE_URL": world.addresses["base_url"],
            "CLAIMCAST_LIMITS__SMS": "unlimited",
        }
        serve = world.start("serve", "--port", public.rsplit(":", 1)[1], log="serve.log")
        worker = world.start("worker", log="worker.log")
        wait_until_sync(lambda: reachable(f"{public}/readyz"))
        yield world
        for process in (serve, worker):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)


def reachable(url: str) -> bool:
    try:
        return httpx.get(url, timeout=120).status_code == 200
    except httpx.HTTPError:
        return False


def submit(world: World, channels: list[str], rows: list[tuple[str, str]]) -> None:
    toml, csv = world.directory / "e2e.toml", world.directory / "e2e.csv"
    toml.write_text(CAMPAIGN.format(channels=", ".join(f'"{name}"' for name in channels)))
    lines = [f"r{n},{email},{phone}" for n, (email, phone) in enumerate(rows)]
    csv.write_text("\n".join(["id,email,phone", *lines]) + "\n")
    world.run("submit", str(toml), str(csv))


def received(world: World) -> dict[str, set[str]]:
    """Return the links that really reached each address: accepted, and not bounced later."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for mail in world.mails():
        found[mail.to].update(mail.links)
    for message in texts(world):
        if message["status"] == "delivered":
            found[message["to"]].update(message["links"])
    return found


def texts(world: World) -> list[dict[str, Any]]:
    answer = httpx.get(f"{world.addresses['control_url']}/sms", timeout=120).raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def test_a_bounce_or_a_refusal_moves_to_sms_with_the_same_link(connected: World) -> None:
    rows: list[tuple[str, str]] = []
    for n in range(PEOPLE):
        phone = f"+1555{n:07d}"
        match n % 8:
            case 0 | 1 | 2 | 3:
                rows.append(("", phone))
            case 4:
                rows.append((f"dsn-person-{n}@example.com", phone))  # bounces after it was taken
            case 5:
                rows.append((f"bounce-person-{n}@example.com", phone))  # refused at once
            case _:
                rows.append((f"person-{n}@example.com", ""))
    submit(connected, ["email", "sms"], rows)

    bounced = sum(1 for email, _ in rows if email.startswith("dsn-"))
    refused = sum(1 for email, _ in rows if email.startswith("bounce-"))
    texted = sum(1 for _, phone in rows if phone)
    wait_until_sync(
        lambda: (
            connected.status()["deliveries"]["bounced"] == bounced
            and connected.status()["deliveries"]["delivered"] == texted
        ),
        timeout=120,
    )
    wait_until_sync(lambda: connected.status()["state"] == "finished")

    status = connected.status()
    assert status["people"] == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    assert status["deliveries"]["failed"] == refused
    links = received(connected)
    for email, phone in rows:
        person = {link for address in (email, phone) if address for link in links[address]}
        assert len(person) == 1, (email, phone)
    assert sum(len(found) for address, found in links.items() if "@" not in address) == texted
    ordered = {link for order in connected.account()["orders"] for link in order["links"]}
    assert {link for found in links.values() for link in found} == ordered
    connected.run("verify", "e2e")


def test_an_undelivered_sms_moves_to_email_with_the_same_link(connected: World) -> None:
    rows = [
        (f"person-{n}@example.com", f"+1500777{n:04d}" if n % 10 == 0 else f"+1555{n:07d}")
        for n in range(PEOPLE)
    ]
    submit(connected, ["sms", "email"], rows)

    undelivered = PEOPLE // 10
    wait_until_sync(
        lambda: (
            connected.status()["deliveries"]["sent"] == undelivered
            and connected.status()["deliveries"]["delivered"] == PEOPLE - undelivered
        ),
        timeout=120,
    )

    assert connected.status()["people"]["reached"] == PEOPLE
    assert len(connected.mails()) == undelivered
    links = received(connected)
    by_phone = {message["to"]: set(message["links"]) for message in texts(connected)}
    for n, (email, phone) in enumerate(rows):
        if n % 10 == 0:
            assert links[email] == by_phone[phone]
        else:
            assert email not in links
    connected.run("verify", "e2e")
