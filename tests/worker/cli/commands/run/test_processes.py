"""Commands as processes: at a terminal, interrupted, killed, and those that run on."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from redis import Redis

from tests.end_to_end.support.world import (
    COMMAND,
    PATIENT,
    PATIENT_DEMO,
    World,
    kill_valkey,
    open_world,
)
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 300


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, "--async-delay", "0.2") as found:
        yield found


class Terminal:
    """A command at a terminal: what it shows is collected, keys are typed."""

    def __init__(self, here: World, *words: str) -> None:
        self.shown = ""
        self._master, line = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *words],
            env={**here.env, "TERM": "xterm"},
            cwd=here.directory,
            stdin=line,
            stdout=line,
            stderr=line,
            start_new_session=True,
        )
        os.close(line)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 120
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            self._read()

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)

    def send(self, how: signal.Signals) -> None:
        self._process.send_signal(how)

    def ended(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        os.close(self._master)
        return self._process.wait(timeout=120)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 1)[0]:
            return self._process.poll() is None
        try:
            octets = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += octets.decode(errors="replace")
        return bool(octets)


def refused_status(here: World) -> str:
    here.run("status", "e2e", code=2)
    return (here.directory / "run.log").read_text()


def test_a_person_is_asked_once_and_sees_bars(here: World) -> None:
    files = here.campaign(PEOPLE)

    terminal = Terminal(here, "run", *files)
    terminal.wait_for("[y/N]")
    assert f"{PEOPLE} x 10.00 USD = 3,000.00 USD" in terminal.shown
    terminal.type("y\n")

    assert terminal.ended() == 0
    assert f"reached      {PEOPLE} of {PEOPLE}" in terminal.shown
    assert all(stage in terminal.shown for stage in ("submit", "order", "fulfil", "send"))
    again = Terminal(here, "run", *files)
    assert again.ended() == 0
    assert "[y/N]" not in again.shown


@pytest.mark.parametrize(
    ("command", "answer"),
    [("run", "n\n"), ("run", "\x04"), ("run", "interrupt"), ("submit", "n\n")],
)
def test_a_person_who_does_not_say_yes_submits_nothing(
    here: World, command: str, answer: str
) -> None:
    terminal = Terminal(here, command, *here.campaign(PEOPLE))
    terminal.wait_for("[y/N]")
    if answer == "interrupt":
        terminal.interrupt()
    else:
        terminal.type(answer)

    assert terminal.ended() == (130 if answer == "interrupt" else 1)
    assert ("Nothing was submitted.\r\n" in terminal.shown) == (answer != "interrupt")
    assert "Error" not in terminal.shown
    assert 'There is no campaign "e2e"' in refused_status(here)
    assert here.account()["orders"] == []


def test_ctrl_c_says_what_is_left_and_the_same_command_goes_on(here: World) -> None:
    files = here.campaign(PEOPLE)
    # Slow enough that the signal comes in time, however busy this machine is.
    here.env |= {"CLAIMCAST_LIMITS__EMAIL": "3/s", "CLAIMCAST_BATCH_SIZE": "20"}
    here.command = PATIENT
    process = here.start("run", *files)
    here.command = COMMAND
    wait_until_sync(lambda: len(here.mails()) > 5)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "  open         " in output
    assert "Run the same command again to go on." in (here.directory / "run.log").read_text()
    here.env["CLAIMCAST_LIMITS__EMAIL"] = "unlimited"
    here.run("run", *files)
    assert len(here.mails()) == PEOPLE


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_submit_stopped_before_its_commit_leaves_nothing(here: World, how: signal.Signals) -> None:
    # A command that asks has staged everything; the signal cannot come after the commit by chance.
    terminal = Terminal(here, "submit", *here.campaign(3_000))
    terminal.wait_for("[y/N]")
    assert _campaign_keys(here) == {b"cc:1", b"cc:staging"}

    terminal.send(how)

    assert terminal.ended() == (-how if how is signal.SIGKILL else 130)
    # Other content under the same id: what was staged has no say any more.
    here.run("run", *here.campaign(5))
    assert len(here.mails()) == 5
    assert here.account()["totals"]["links"] == 5
    assert _campaign_keys(here) == {b"cc:2"}


def _campaign_keys(here: World) -> set[bytes]:
    """Return the first two parts of all keys that belong to one campaign or its staging."""
    state = here.directory / "state"
    with EmbeddedValkey(state) as server, Redis.from_url(server.start_or_join()) as redis:
        keys = [b":".join(key.split(b":")[:2]) for key in redis.scan_iter("cc:*")]
    return {key for key in keys if key[3:].isdigit() or key in {b"cc:staging", b"cc:discarded"}}


@pytest.mark.parametrize("start", [[*COMMAND, "worker"], [sys.executable, "-m", "worker"]])
def test_worker_drains_when_it_is_told_to_end(here: World, start: list[str]) -> None:
    log = here.directory / "worker.log"
    with log.open("w") as errors:
        worker = subprocess.Popen(start, env=here.env, cwd=here.directory, stderr=errors)
    try:
        wait_until_sync(lambda: "worker.started" in log.read_text())
        worker.terminate()
        assert worker.wait(timeout=120) == 0
    finally:
        worker.kill()
    assert "worker.stopped" in log.read_text()


def test_sandbox_shows_people_what_to_set(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "sandbox", "--dir", str(tmp_path)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 0
    assert f"export CLAIMCAST_REWARDS__BASE_URL={addresses['base_url']}\n" in errors
    assert "export CLAIMCAST_SMTP__SENDER='Rewards <rewards@example.com>'\n" in errors


DEMO = [sys.executable, "-m", "worker.demo"]


def demo(folder: Path, command: Sequence[str] = DEMO) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        # A real account in the environment of a person who tries the demo must not be used.
        env={
            "PYTHONPATH": str(ROOT),
            "CLAIMCAST_REDIS__URL": "redis://127.0.0.1:1/0",
            "CLAIMCAST_REWARDS__BASE_URL": "https://api.example.com",
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted_demo(tmp_path: Path) -> Path:
    """Interrupt a demo while it sends, in one more folder if it was too late; return where."""
    for number in range(20):
        (folder := tmp_path / str(number)).mkdir()
        mails = folder / "demo" / "sandbox" / "Maildir" / "new"
        first = demo(folder, PATIENT_DEMO)
        wait_until_sync(lambda mails=mails: mails.is_dir() and len(list(mails.iterdir())) > 20)  # type: ignore[misc]
        first.send_signal(signal.SIGSTOP)  # nothing moves while we look
        in_time = len(list(mails.iterdir())) < 900
        if in_time:
            first.send_signal(signal.SIGINT)
        first.send_signal(signal.SIGCONT)
        _, errors = first.communicate(timeout=120)
        assert (folder / "demo" / "campaign" / "campaign.toml").exists() == in_time, errors
        if in_time:
            return folder
        assert first.returncode == 0, errors
        assert len(list(mails.iterdir())) == 1000
    pytest.fail("every signal came too late")


def test_interrupted_demo_goes_on_and_a_finished_one_is_followed_by_another(
    tmp_path: Path,
) -> None:
    try:
        folder = interrupted_demo(tmp_path)
        mails = folder / "demo" / "sandbox" / "Maildir" / "new"
        campaign = folder / "demo" / "campaign" / "campaign.toml"
        begun = campaign.read_text("utf-8")

        second = demo(folder)
        output, errors = second.communicate(timeout=120)

        assert second.returncode == 0, errors
        name = begun.partition('id = "')[2].partition('"')[0]
        assert name.startswith("demo-")
        assert f"({name}): finished" in output
        assert "reached      1,000 of 1,000" in output
        assert f"recipient {name} s-0001" in output
        assert str(mails.parent) in errors
        assert len(list(mails.iterdir())) == 1000
        assert not campaign.exists()
    finally:
        kill_valkey(tmp_path)
