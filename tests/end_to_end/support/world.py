"""A sandbox in a process of its own, and claimcast's commands as its user starts them."""

import base64
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet, InvalidToken

from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync

CAMPAIGN = """
id = "{id}"
name = "End to end"

[reward]
product_id = "CVS"
value = "10.00"
currency = "USD"

[delivery]
channels = ["email"]

[email]
subject = "Your reward, {{{{ name }}}}"
text = "Hello {{{{ name }}}}, your reward: {{{{ link }}}}"
html = "<p>Hello {{{{ name }}}}, <a href=\\"{{{{ link }}}}\\">your reward</a></p>"
"""
COMMAND = [sys.executable, "-m", "worker.cli"]
_PATIENCE = """
from worker.cli.progress import follow
from worker.executor import executor

assert executor._STOP_SECONDS < follow._STOP_SECONDS
executor._STOP_SECONDS, follow._STOP_SECONDS = 600.0, 660.0
"""
# What is on the wire may take its time to settle, however busy this machine is.
PATIENT = [sys.executable, "-c", f"from worker.cli import main\n{_PATIENCE}\nmain()"]
PATIENT_DEMO = [sys.executable, "-c", f"from worker.demo import demo\n{_PATIENCE}\ndemo()"]


@dataclass(frozen=True, slots=True)
class Mail:
    """What arrived: to whom, under which Message-ID, with which links."""

    to: str
    message_id: str
    links: tuple[str, ...]


class World:
    """One installation in *directory* against one sandbox."""

    def __init__(self, directory: Path, addresses: dict[str, Any]) -> None:
        self.directory = directory
        self.addresses = addresses
        self.command = COMMAND
        self._started: list[subprocess.Popen[str]] = []
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "CLAIMCAST_STATE_DIR": str(directory / "state"),
            "CLAIMCAST_REWARDS__BASE_URL": addresses["base_url"],
            "CLAIMCAST_REWARDS__EMAIL": addresses["email"],
            "CLAIMCAST_REWARDS__ACCESS_TOKEN": addresses["access_token"],
            "CLAIMCAST_REWARDS__TIMEOUT": "240s",  # no stall makes an answer late
            "CLAIMCAST_SMTP__HOST": addresses["smtp_host"],
            "CLAIMCAST_SMTP__PORT": str(addresses["smtp_port"]),
            "CLAIMCAST_SMTP__SECURITY": "none",
            "CLAIMCAST_SMTP__SENDER": "Rewards <rewards@example.com>",
            "CLAIMCAST_SMTP__CONNECTIONS": "10",
            "CLAIMCAST_LIMITS__ORDERS": "unlimited",
            "CLAIMCAST_LIMITS__READS": "unlimited",
            "CLAIMCAST_LIMITS__EMAIL": "unlimited",
            "CLAIMCAST_RETRY__FIRST": "0.2",
            "CLAIMCAST_RETRY__CAP": "1",
        }

    def campaign(self, people: int, campaign_id: str = "e2e") -> list[str]:
        """Write the two files of a campaign and return their paths."""
        toml, csv = self.directory / f"{campaign_id}.toml", self.directory / f"{campaign_id}.csv"
        toml.write_text(CAMPAIGN.format(id=campaign_id), "utf-8")
        rows = [f"r{n},person-{n}@example.com,Zoë Nº{n}" for n in range(people)]
        csv.write_text("\n".join(["id,email,name", *rows]) + "\n", "utf-8")
        return [str(toml), str(csv)]

    def start(self, *arguments: str, log: str = "run.log") -> subprocess.Popen[str]:
        """Start a command; its standard error is appended to the file *log*."""
        with (self.directory / log).open("a") as stderr:
            process = subprocess.Popen(
                [*self.command, *arguments],
                env=self.env,
                cwd=self.directory,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what a failed test left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def run(self, *arguments: str, code: int | Sequence[int] = 0) -> str:
        """Run a command to its end, check its exit status, and return its standard output."""
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=120)
        allowed = [code] if isinstance(code, int) else code
        assert process.returncode in allowed, (self.directory / "run.log").read_text()[-4000:]
        return output

    def status(self, campaign_id: str = "e2e") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", campaign_id, "--json"))
        return found

    def wait_for_state(self, state: str, campaign_id: str = "e2e") -> None:
        wait_until_sync(lambda: self._state(campaign_id) == state)

    def _state(self, campaign_id: str) -> str | None:
        output = self.run("status", campaign_id, "--json", code=[0, 1, 2])
        return json.loads(output)["state"] if output else None

    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get("account")
        return found

    def mails(self) -> list[Mail]:
        return [
            Mail(entry["to"], entry["message_id"], tuple(entry["links"]))
            for entry in self._get("mails")
        ]

    def switch(self, what: str, **faults: object) -> None:
        httpx.put(
            f"{self.addresses['control_url']}/{what}", json=faults, timeout=120
        ).raise_for_status()

    def fund(self, amount: str) -> None:
        url = f"{self.addresses['control_url']}/funds"
        httpx.post(url, json={"add": amount}, timeout=120).raise_for_status()

    def _get(self, what: str) -> Any:  # noqa: ANN401 - JSON
        answer = httpx.get(f"{self.addresses['control_url']}/{what}", timeout=120)
        return answer.raise_for_status().json()


@contextlib.contextmanager
def open_world(directory: Path, *options: str) -> Iterator[World]:
    """Run a sandbox with *options* for the time of the block; stop all that is left after it."""
    ready = directory / "ready.json"
    sandbox = subprocess.Popen(
        [
            *(sys.executable, "-m", "sandbox", "--dir", str(directory / "sandbox")),
            *("--ready-file", str(ready), "--keep", "index", *options),
        ],
        stdout=subprocess.DEVNULL,
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_until_sync(ready.exists)
        with contextlib.closing(World(directory, json.loads(ready.read_text("utf-8")))) as found:
            yield found
    finally:
        sandbox.terminate()
        sandbox.wait(timeout=120)
        kill_valkey(directory)


def kill_valkey(directory: Path) -> bool:
    """SIGKILL the embedded Valkey of an installation; return whether there was one."""
    pids = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is_server(entry, directory)
    ]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return bool(pids)


def _is_server(process: Path, directory: Path) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
        cwd = (process / "cwd").readlink()
    except OSError:
        return False
    named = b"valkey-server" in command  # its title holds the socket, its folder is the data's
    return named and (str(directory).encode() in command or cwd.is_relative_to(directory))


def judge(world: World, people: int, *, repeats: bool = False) -> None:
    """
    Compare the sandbox's own account with the mails, person by person.

    Everybody has exactly one link, nobody's link is anybody else's, every PO number was ordered
    once; with *repeats* a person may have had the same message more than once.
    """
    account, mails = world.account(), world.mails()
    ordered = [link for order in account["orders"] for link in order["links"]]
    links: defaultdict[str, set[str]] = defaultdict(set)
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for mail in mails:
        links[mail.to].update(mail.links)
        ids[mail.to].add(mail.message_id)
    assert set(links) == {f"person-{n}@example.com" for n in range(people)}
    assert all(len(found) == 1 for found in links.values()), "a person with two links, or none"
    assert all(len(found) == 1 for found in ids.values()), "a repeated mail with a new Message-ID"
    given = [link for found in links.values() for link in found]
    assert len(set(given)) == people, "a link given to two people"
    assert set(given) == set(ordered), "a link lost, or one that was never ordered"
    assert len(ordered) == people, "more or fewer links ordered than people"
    pos = [order["po"] for order in account["orders"]]
    assert len(set(pos)) == len(pos)
    _compare_report(world, people)
    if not repeats:
        assert len(mails) == people, "a person was written to twice"


def _compare_report(world: World, people: int) -> None:
    """Compare what claimcast says of each person with what arrived."""
    [campaign_id] = [file.stem for file in world.directory.glob("*.toml")] or ["upstream"]
    text = world.run("report", campaign_id, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["recipient_id"] for row in rows] == [f"r{n}" for n in range(people)]
    assert {row["status"] for row in rows} == {"sent"}
    assert len({row["link_ref"] for row in rows}) == people
    assert {row["po_number"] for row in rows} == {each["po"] for each in world.account()["orders"]}
    assert world.status(campaign_id)["deliveries"]["sent"] == people


def live_values(redis: Any) -> bytes:  # noqa: ANN401 - redis-py types sync replies as awaitable
    """Return every key and every value of a server as one text, as readers of them see it."""
    return b"\n".join(every_value(redis))


def opened_values(redis: Any, secret_key: str) -> bytes:  # noqa: ANN401 - as above
    """Return the same with what is sealed opened, as somebody with the secret key sees it."""
    fernet = Fernet(secret_key)

    def opened(value: bytes) -> bytes:
        try:
            return zlib.decompress(fernet.decrypt(base64.urlsafe_b64encode(value)))
        except (InvalidToken, zlib.error):
            return value

    return b"\n".join(map(opened, every_value(redis)))


def every_value(redis: Any) -> list[bytes]:  # noqa: ANN401 - as above
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": lambda key: [redis.get(key)],
        b"hash": lambda key: [part for pair in redis.hgetall(key).items() for part in pair],
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"set": lambda key: list(redis.smembers(key)),
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"none": lambda _: [],  # it has expired since
    }
    found: list[bytes] = []
    for key in redis.scan_iter(count=1000):
        found += [key, *filter(None, readers[redis.type(key)](key))]
    return found
