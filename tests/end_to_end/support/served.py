"""A world with `serve` and a worker, to which the sandbox reports back."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.support.world import COMMAND, World, open_world
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync


@dataclass(frozen=True, slots=True)
class Served:
    """A world, and where its `serve` is."""

    world: World
    public: str

    def messages(self) -> list[dict[str, Any]]:
        """Return every SMS that the sandbox took."""
        answer = httpx.get(f"{self.world.addresses['control_url']}/sms", timeout=120)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def write(self, phone: str, body: str) -> None:
        """Have somebody answer an SMS."""
        url = f"{self.world.addresses['control_url']}/sms/inbound"
        httpx.post(url, json={"from": phone, "body": body}, timeout=120).raise_for_status()

    def metric(self, name: str, **labels: str) -> float:
        """Return one value of `/metrics`, 0 if it is not there; see worker/web/metrics.py."""
        text = httpx.get(f"{self.public}/metrics", timeout=120).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"claimcast_{name}" and sample.labels == labels
        )


@contextlib.contextmanager
def served(directory: Path, *options: str) -> Iterator[Served]:
    """Run `serve`, one worker and a sandbox with *options* for the time of the block."""
    public = f"http://127.0.0.1:{free_port()}"
    before = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "CLAIMCAST_STATE_DIR": str(directory / "state"),
        "CLAIMCAST_PUBLIC_URL": public,
    }
    with open_world(directory, *reports(before, directory), *options) as world:
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
        yield Served(world, public)
        for process in (serve, worker):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)


def reports(environment: dict[str, str], directory: Path) -> list[str]:
    """Return the options that make a sandbox report bounces and answers to our `serve`."""
    bounces = subprocess.run(
        [*COMMAND, "bounces", "--url"],
        env=environment,
        cwd=directory,
        check=True,
        capture_output=True,
    )
    url = environment["CLAIMCAST_PUBLIC_URL"]
    options = ["--bounce-delay", "0.2", "--bounce-url", bounces.stdout.decode().strip()]
    return [*options, "--sms-inbound-url", f"{url}/webhooks/twilio/inbound"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def reachable(url: str) -> bool:
    try:
        return httpx.get(url, timeout=120).status_code == 200
    except httpx.HTTPError:
        return False
