"""Kill anything, run it again: one order per batch, one link per person."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.support.world import COMMAND, World, judge, kill_valkey, world
from tests.support.waiting import wait_until_sync

PEOPLE = 1500
TRIES = 20
# What is on the wire may take its time to settle.
PATIENT = """
from worker.cli import main
from worker.cli.progress import follow
from worker.executor import executor

assert executor._STOP_SECONDS < follow._STOP_SECONDS
executor._STOP_SECONDS, follow._STOP_SECONDS = 600.0, 660.0
main()
"""

Process = subprocess.Popen[str]


@contextmanager
def struck(
    directory: Path,
    share: float,
    strike: Callable[[World, Process], bool],
    command: Sequence[str] = COMMAND,
) -> Iterator[tuple[World, Process]]:
    """
    Yield an installation whose run was struck when it had sent this share of its mails.

    A busy machine may let the run end before the blow, which returns whether it came in time; then
    it is tried again with another installation.
    """
    for number in range(TRIES):
        (place := directory / str(number)).mkdir()
        with world(place, "--async-above", "50", "--async-delay", "0.3") as here:
            here.command = [*command]
            process = here.start("run", *here.campaign(PEOPLE))
            here.command = COMMAND
            wait_until_sync(lambda here=here: len(here.mails()) > PEOPLE * share)  # type: ignore[misc]
            if strike(here, process):
                yield here, process
                return
    pytest.fail("every blow came too late to prove anything")


def kill(here: World, process: Process) -> bool:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return len(here.mails()) < PEOPLE


def kill_server(here: World, process: Process) -> bool:
    return kill_valkey(here.directory) and len(here.mails()) < PEOPLE


def cut_the_power(here: World, process: Process) -> bool:
    os.kill(process.pid, signal.SIGKILL)
    there = kill_valkey(here.directory)
    process.communicate()
    return there and len(here.mails()) < PEOPLE


def interrupt(here: World, process: Process) -> bool:
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    process.communicate(timeout=120)
    return len(here.mails()) < PEOPLE


def test_everybody_gets_one_link_and_a_second_run_changes_nothing(here: World) -> None:
    files = here.campaign(PEOPLE)
    here.run("run", *files)
    judge(here, PEOPLE)
    posts, mails = here.account()["posts"], len(here.mails())

    here.run("run", *files)

    assert here.account()["posts"] == posts
    assert len(here.mails()) == mails
    assert here.status()["people"] == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    here.run("verify", "e2e")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_run_killed_in_the_middle_goes_on(tmp_path: Path, share: float) -> None:
    with struck(tmp_path, share, kill) as (here, _):
        here.time_passes()

        here.run("run", *here.campaign(PEOPLE))

        judge(here, PEOPLE, repeats=True)
        # At most what was on the wire or not yet recorded: twice the connections.
        assert len(here.mails()) - PEOPLE <= 2 * int(here.env["CLAIMCAST_SMTP__CONNECTIONS"])
        here.run("verify", "e2e")


def test_a_run_killed_while_it_orders_orders_nothing_twice(here: World) -> None:
    files = here.campaign(PEOPLE)
    process = here.start("run", *files)
    wait_until_sync(lambda: len(here.account()["orders"]) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    here.time_passes()

    here.run("run", *files)

    judge(here, PEOPLE, repeats=True)
    here.run("verify", "e2e")


def test_valkey_killed_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    with struck(tmp_path, 0.2, kill_server) as (here, process):
        output, _ = process.communicate(timeout=120)

        assert process.returncode == 0, output
        judge(here, PEOPLE, repeats=True)
        here.run("verify", "e2e")


def test_run_and_valkey_killed_together_as_by_a_power_cut(tmp_path: Path) -> None:
    with struck(tmp_path, 0.3, cut_the_power) as (here, _):
        here.time_passes()

        here.run("run", *here.campaign(PEOPLE))

        judge(here, PEOPLE, repeats=True)
        assert len(here.mails()) - PEOPLE <= 2 * int(here.env["CLAIMCAST_SMTP__CONNECTIONS"])
        here.run("verify", "e2e")


def test_ctrl_c_stops_before_the_end_and_repeats_nothing(tmp_path: Path) -> None:
    with struck(tmp_path, 0.3, interrupt, [sys.executable, "-c", PATIENT]) as (here, process):
        assert process.returncode != 0
        left = here.status()
        assert left["people"]["open"] == PEOPLE - len(here.mails())
        assert left["deliveries"]["sending"] == 0
        assert left["deliveries"]["uncertain"] == 0

        here.run("run", *here.campaign(PEOPLE))

        judge(here, PEOPLE)


def test_two_workers_share_what_submit_left(here: World) -> None:
    files = here.campaign(PEOPLE)
    # Slow until both have done something, so that neither comes too late.
    here.env["CLAIMCAST_LIMITS__EMAIL"] = "100/s"
    here.run("submit", *files)
    logs = [here.directory / f"worker-{n}.log" for n in range(2)]
    workers = [here.start("worker", log=log.name) for log in logs]
    try:
        wait_until_sync(lambda: all("batch.distributed" in log.read_text() for log in logs))
        here.run("limits", "set", "email", "unlimited")
        wait_until_sync(lambda: here.status()["state"] == "finished")
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.communicate(timeout=120)
    judge(here, PEOPLE)


def test_the_same_run_twice_at_once_is_one_campaign(here: World) -> None:
    files = here.campaign(PEOPLE)
    runs = [here.start("run", *files, log=f"run-{n}.log") for n in range(2)]
    for process in runs:
        process.communicate(timeout=120)

    assert [process.returncode for process in runs] == [0, 0]
    judge(here, PEOPLE)
