"""One world and one worker for many small campaigns, and commands as an operator types them."""

import contextlib
import json
import re
import shlex
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from redis import Redis

from tests.end_to_end.support.world import World, open_world
from tests.support.waiting import wait_until_sync
from worker.cli import main
from worker.valkey.embedded import EmbeddedValkey

CAMPAIGN = """
id = "{id}"
name = "A way out"

[reward]
product_id = "CVS"
value = "10.00"

[delivery]
channels = ["{channel}"]

[email]
subject = "Your reward"
text = "Your reward: {{{{ link }}}}"
on_uncertain = "{uncertain}"

[sms]
body = "Your reward: {{{{ link }}}}"
"""


@dataclass
class Bench:
    """A world whose worker is started anew only when it needs other settings."""

    world: World
    redis: Any  # redis-py types sync replies as awaitable
    worker: "subprocess.Popen[str] | None" = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command in this process, check its exit code, and return all that it says."""
        settings = {name: value or None for name, value in self.settings.items()}
        result = CliRunner().invoke(main, words, env=self.world.env | settings)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return " ".join(result.output.split())

    def status(self, campaign: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", campaign, "--json"))
        return found

    def with_worker(self, **settings: str) -> None:
        """See to it that a worker runs, with these settings beside the usual ones."""
        if self.worker is not None and self.settings == settings:
            return
        self.stop_worker()
        usual = self.world.env
        self.world.env = usual | {name: value for name, value in settings.items() if value}
        for name in (name for name, value in settings.items() if not value):
            self.world.env.pop(name, None)
        self.worker, self.settings = self.world.start("worker", log="worker.log"), settings
        self.world.env = usual

    def stop_worker(self) -> None:
        if self.worker is not None:
            self.worker.send_signal(signal.SIGTERM)
            self.worker.communicate(timeout=120)
            self.worker = None

    def submit(
        self, campaign: str, people: int, *, channel: str = "email", uncertain: str = "resend"
    ) -> None:
        toml, csv = (self.world.directory / f"{campaign}.{kind}" for kind in ("toml", "csv"))
        toml.write_text(
            CAMPAIGN.format(id=campaign, channel=channel, uncertain=uncertain), "utf-8"
        )
        rows = [f"r{n},{_address(campaign, n)},+1415555{n:04}" for n in range(people)]
        csv.write_text("\n".join(["id,email,phone", *rows]) + "\n", "utf-8")
        self.run("submit", str(toml), str(csv))

    def wait_until_blocked(self, campaign: str) -> dict[str, Any]:
        """Wait until something stops the only batch of a campaign, and return its status."""
        key = self._campaign_key(campaign)

        def stopped() -> bool:
            fields = {name.decode(): value for name, value in self.redis.hgetall(key).items()}
            held = (value != b"0" for name, value in fields.items() if name.startswith("h:"))
            return any(held) or any(name.startswith("blk:") for name in fields)

        wait_until_sync(stopped)
        return self.status(campaign)

    def wait_until_finished(self, campaign: str) -> dict[str, Any]:
        key = self._campaign_key(campaign)
        wait_until_sync(lambda: self.redis.hexists(key, "fin"))
        return self.status(campaign)

    def ten_minutes_pass(self, campaign: str) -> None:
        """Let the doubt about an order, once it is there, be more than ten minutes old."""
        batch, due = (f"{self._campaign_key(campaign)}:{kind}" for kind in ("b:1", "due:r"))
        wait_until_sync(lambda: self.redis.hexists(batch, "odd:at"))
        self.redis.hset(batch, "odd:at", "1")
        self.redis.zadd(due, {"1": 0}, xx=True)

    def _campaign_key(self, campaign: str) -> str:
        return f"cc:{self.redis.hget('cc:ids', campaign).decode()}"

    def named_command(self, campaign: str, begin: str) -> list[str]:
        """Return the command that `status` names, ready to be typed."""
        shown = self.run("status", campaign)
        named = re.findall(r"`claimcast ([^`]+)`", shown)
        fitting = [each for each in named if each.startswith(begin)]
        assert fitting, f"`status` names {named}, none begins with {begin}"
        batch = re.search(r"\(number (\d+)", shown)
        return shlex.split(fitting[0].replace("BATCH", batch[1] if batch else "BATCH"))

    def complete_orders(self, campaign: str) -> None:
        """Have the provider finish what it has pending."""
        for order in self.orders(campaign):
            url = f"{self.world.addresses['control_url']}/orders/{order['id']}/complete"
            httpx.post(url, timeout=120).raise_for_status()

    def orders(self, campaign: str) -> list[dict[str, Any]]:
        return [each for each in self.world.account()["orders"] if _is_of(each["po"], campaign)]

    def links_by_address(self, campaign: str) -> dict[str, set[str]]:
        """Return the links that arrived, checking that repeated mails kept their Message-ID."""
        links: defaultdict[str, set[str]] = defaultdict(set)
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for mail in self.world.mails():
            if mail.to.endswith(f"@{campaign}.example.com"):
                links[mail.to].update(mail.links)
                ids[mail.to].add(mail.message_id)
        assert all(len(found) == 1 for found in ids.values()), "a repeat with a new Message-ID"
        return links

    def order_elsewhere(self, campaign: str, quantity: int) -> None:
        """Take the first PO number of a campaign, as another installation would."""
        api, headers = self.world.addresses["base_url"], self._login()
        item = {"ProductId": "CVS", "Value": 10, "Quantity": quantity}
        order = {"Type": "Links", "PONumber": f"CC-{campaign}-00001", "LineItems": [item]}
        httpx.post(f"{api}/v1/Orders", json=order, headers=headers, timeout=120).raise_for_status()

    def _login(self) -> dict[str, str]:
        found = self.world.addresses
        headers = {"Email": found["email"], "AccessToken": found["access_token"]}
        answer = httpx.post(
            f"{found['base_url']}/v1/Tokens", headers=headers, timeout=120
        ).raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['Value']}"}


def _address(campaign: str, number: int) -> str:
    return f"person-{number}@{campaign}.example.com"


def _is_of(po_number: str, campaign: str) -> bool:
    return re.fullmatch(rf"CC-{campaign}-\d+", po_number) is not None


@contextlib.contextmanager
def bench(directory: Path, *options: str, **settings: str) -> Iterator[Bench]:
    """Run a world with *options* and these *settings*; its server stays up for the whole block."""
    with open_world(directory, *options) as world, EmbeddedValkey(directory / "state") as server:
        world.env |= settings
        with Redis.from_url(server.start_or_join()) as redis:
            found = Bench(world, redis)
            yield found
            found.stop_worker()
