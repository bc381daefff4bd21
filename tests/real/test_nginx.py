"""Behind a real nginx with a prefix and TLS everything comes back, and signatures hold."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # no py.typed

from tests.end_to_end.support.served import Served
from tests.end_to_end.support.world import World
from tests.real.nginx import Nginx
from tests.real.parts import NGINX, PATIENCE
from tests.real.site import site, suppressed, unsubscribe_links
from tests.support.waiting import wait_until_sync

PEOPLE = 60
FEW = 3
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
INBOUND = "/webhooks/twilio/inbound"
PHONE = "+15550000001"
pytestmark = NGINX.marks()


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    found = Nginx(tmp_path / "nginx")
    with found.run():
        yield found


@pytest.fixture
def outside(nginx: Nginx) -> Iterator[httpx.Client]:
    """A client that reaches us from outside, over TLS."""
    context = ssl.create_default_context(cafile=nginx.authority)
    with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def world(tmp_path: Path, nginx: Nginx) -> Iterator[World]:
    with site(tmp_path, nginx.tls_url, nginx.behind) as found:
        yield found.world


@pytest.fixture
def reported(tmp_path: Path, nginx: Nginx) -> Iterator[Served]:
    """Run a site to which the sandbox reports, so without TLS."""
    with site(tmp_path, nginx.plain_url, nginx.behind) as found:
        yield found


def submit_to_both(world: World) -> None:
    """Submit a campaign: a third by SMS, a third by e-mail, a third whose e-mail bounces."""
    toml, people = map(Path, world.campaign(PEOPLE))
    text = toml.read_text("utf-8").replace('["email"]', '["email", "sms"]')
    toml.write_text(f'{text}\n[sms]\nbody = "Your reward: {{{{ link }}}}"\n', "utf-8")
    rows = [
        (f",+1555{n:07d}", f"person-{n}@example.com,", f"dsn-{n}@example.com,+1555{n:07d}")[n % 3]
        for n in range(PEOPLE)
    ]
    lines = [f"r{n},Zoë,{row}" for n, row in enumerate(rows)]
    people.write_text("\n".join(["id,name,email,phone", *lines]) + "\n", "utf-8")
    world.run("submit", str(toml), str(people))


def mailed(world: World, campaign: str = "e2e") -> list[str]:
    """Run a campaign of a few by e-mail to its end; return their addresses."""
    world.run("submit", *world.campaign(FEW, campaign))
    world.wait_for_state("finished", campaign)
    return [f"person-{n}@example.com" for n in range(FEW)]


def test_webhooks_receipts_and_bounces_come_through_it(reported: Served) -> None:
    world = reported.world
    submit_to_both(world)

    third = PEOPLE // 3
    wanted = {"sent": third, "bounced": third, "delivered": 2 * third}
    wait_until_sync(lambda: world.status()["deliveries"].items() >= wanted.items(), PATIENCE)
    world.wait_for_state("finished")
    assert world.status()["people"] == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    assert reported.metric("webhooks_total", kind="fulfilment", result="taken") > 0
    assert reported.metric("webhooks_total", kind="twilio", result="bad_signature") == 0


def test_one_click_through_it_unsubscribes(
    nginx: Nginx, world: World, outside: httpx.Client
) -> None:
    people = mailed(world)
    links = unsubscribe_links(world)
    by_form, by_parts, other = people
    assert all(link.startswith(f"{nginx.tls_url}/unsubscribe/") for link in links.values())

    answers = [
        outside.post(links[by_form], data=ONE_CLICK),
        outside.post(links[by_parts], files={"List-Unsubscribe": (None, "One-Click")}),
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert suppressed(world, people) == [by_form, by_parts]
    before = len(world.mails())
    mailed(world, "next")
    assert [mail.to for mail in world.mails()[before:]] == [other]


def test_looking_through_it_unsubscribes_nobody_and_the_page_stays_guarded(
    nginx: Nginx, world: World, outside: httpx.Client
) -> None:
    people = mailed(world)
    link = unsubscribe_links(world)[people[0]]

    seen = outside.get(link)

    direct = httpx.get(link.replace(nginx.tls_url, f"http://127.0.0.1:{nginx.behind}"))
    assert seen.text == direct.text
    assert "<form" in seen.text
    names = ("content-security-policy", "referrer-policy", "cache-control", "x-frame-options")
    assert [seen.headers[name] for name in names] == [direct.headers[name] for name in names]
    assert suppressed(world, people) == []


def test_a_signature_is_for_the_address_outside_and_for_no_other(
    nginx: Nginx, world: World, outside: httpx.Client
) -> None:
    form = {"From": PHONE, "Body": " Stop ", "City": "Zürich & +"}
    validator = RequestValidator(world.addresses["auth_token"])
    query = "?a=%20b&c=%2F"

    def post(signed: str) -> int:
        signature = validator.compute_signature(f"{signed}{INBOUND}{query}", form)
        headers = {"X-Twilio-Signature": signature}
        return outside.post(
            f"{nginx.tls_url}{INBOUND}{query}", data=form, headers=headers
        ).status_code

    assert post(f"http://127.0.0.1:{nginx.behind}") == 403
    assert world.run("suppress", "list", "--check", PHONE) == "not suppressed\n"
    assert post(nginx.tls_url) == 200
    assert world.run("suppress", "list", "--check", PHONE) == "suppressed: opt-out\n"
