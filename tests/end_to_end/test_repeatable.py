"""Kill anything, run it again: one order per batch, one link per person."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.support.world import COMMAND, PATIENT, World, judge, kill_valkey, open_world
from tests.support.waiting import wait_until_sync

PEOPLE = 1500
TRIES = 20
LEASE = "CLAIMCAST_LEASE_SECONDS"
SHORT, DEFAULT, LONG = 2, 30, 240
"""Leases of the dead lapse soon; those of the run that goes on outlast a stalled machine."""

Process = subprocess.Popen[str]


@contextmanager
def stopped_at(
    directory: Path,
    share: float,
    stop_run: Callable[[World, Process], None],
    lease: int,
    command: Sequence[str] = COMMAND,
) -> Iterator[tuple[World, Process]]:
    """
    Yield an installation whose run, with this lease, was stopped when it had sent this share.

    A busy machine may let the run end before that; then it is judged as it is, and tried again
    with another installation.
    """
    for number in range(TRIES):
        (folder := directory / str(number)).mkdir()
        with open_world(folder, "--async-above", "50", "--async-delay", "0.3") as world:
            process = begun(world, lease, command)
            wait_until_sync(lambda world=world: len(world.mails()) > PEOPLE * share)  # type: ignore[misc]
            if is_in_time(world, process):
                stop_run(world, process)
                yield world, process
                return
            process.communicate(timeout=120)
            assert process.returncode == 0
            judge(world, PEOPLE, repeats=lease < LONG)
    pytest.fail("every run had ended too early to prove anything")


def begun(world: World, lease: int, command: Sequence[str] = COMMAND) -> Process:
    """Start a run that holds what it has for this lease; the run that goes on has a long one."""
    world.env[LEASE], world.command = str(lease), [*command]
    process = world.start("run", *world.campaign(PEOPLE))
    world.env[LEASE], world.command = str(LONG), COMMAND
    return process


def is_in_time(world: World, process: Process) -> bool:
    """Return whether stopping it now proves something; if so, the run stands still for it."""
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGSTOP)  # nothing moves while we look
    if len(world.mails()) < PEOPLE * 0.9:
        return True
    os.killpg(process.pid, signal.SIGCONT)
    return False


def kill(world: World, process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(world.mails()) < PEOPLE


def kill_server(world: World, process: Process) -> None:
    assert kill_valkey(world.directory)
    os.killpg(process.pid, signal.SIGCONT)


def cut_the_power(world: World, process: Process) -> None:
    assert kill_valkey(world.directory)
    os.kill(process.pid, signal.SIGKILL)  # it stood still meanwhile: nobody saw the other die
    process.communicate()
    assert len(world.mails()) < PEOPLE


def interrupt(world: World, process: Process) -> None:
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    os.killpg(process.pid, signal.SIGCONT)
    process.communicate(timeout=120)
    assert len(world.mails()) < PEOPLE


def repeated(world: World) -> int:
    """Return how many mails came to somebody who had one already."""
    mails = world.mails()
    return len(mails) - len({mail.to for mail in mails})


def test_everybody_gets_one_link_and_a_second_run_changes_nothing(world: World) -> None:
    files = world.campaign(PEOPLE)
    world.run("run", *files)
    judge(world, PEOPLE)
    posts, mails = world.account()["posts"], len(world.mails())

    world.run("run", *files)

    assert world.account()["posts"] == posts
    assert len(world.mails()) == mails
    assert world.status()["people"] == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    world.run("verify", "e2e")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_run_killed_in_the_middle_goes_on(tmp_path: Path, share: float) -> None:
    with stopped_at(tmp_path, share, kill, SHORT) as (world, _):
        before = repeated(world)  # a stall before it was stopped may have cost its lease

        world.run("run", *world.campaign(PEOPLE))

        judge(world, PEOPLE, repeats=True)
        # At most what was on the wire or not yet recorded: twice the connections.
        assert repeated(world) - before <= 2 * int(world.env["CLAIMCAST_SMTP__CONNECTIONS"])
        world.run("verify", "e2e")


def test_a_run_killed_while_it_orders_orders_nothing_twice(world: World) -> None:
    process = begun(world, SHORT)
    wait_until_sync(lambda: len(world.account()["orders"]) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    world.run("run", *world.campaign(PEOPLE))

    judge(world, PEOPLE, repeats=True)
    world.run("verify", "e2e")


def test_valkey_killed_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    with stopped_at(tmp_path, 0.2, kill_server, DEFAULT) as (world, process):
        output, _ = process.communicate(timeout=120)

        assert process.returncode == 0, output
        judge(world, PEOPLE, repeats=True)
        world.run("verify", "e2e")


def test_run_and_valkey_killed_together_as_by_a_power_cut(tmp_path: Path) -> None:
    with stopped_at(tmp_path, 0.3, cut_the_power, SHORT) as (world, _):
        before = repeated(world)

        world.run("run", *world.campaign(PEOPLE))

        judge(world, PEOPLE, repeats=True)
        assert repeated(world) - before <= 2 * int(world.env["CLAIMCAST_SMTP__CONNECTIONS"])
        world.run("verify", "e2e")


def test_ctrl_c_stops_before_the_end_and_repeats_nothing(tmp_path: Path) -> None:
    with stopped_at(tmp_path, 0.3, interrupt, LONG, PATIENT) as (world, process):
        assert process.returncode != 0
        left = world.status()
        assert left["people"]["open"] == PEOPLE - len(world.mails())
        assert left["deliveries"]["sending"] == 0
        assert left["deliveries"]["uncertain"] == 0

        world.run("run", *world.campaign(PEOPLE))

        judge(world, PEOPLE)


def test_two_workers_share_what_submit_left(world: World) -> None:
    files = world.campaign(PEOPLE)
    # Slow until both have done something, so that neither comes too late.
    world.env |= {"CLAIMCAST_LIMITS__EMAIL": "10/s", "CLAIMCAST_BATCH_SIZE": "20"}
    world.run("submit", *files)
    logs = [world.directory / f"worker-{n}.log" for n in range(2)]
    workers = [world.start("worker", log=log.name) for log in logs]
    try:
        wait_until_sync(lambda: all("batch.distributed" in log.read_text() for log in logs))
        world.run("limits", "set", "email", "unlimited")
        wait_until_sync(lambda: world.status()["state"] == "finished")
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.communicate(timeout=120)
    judge(world, PEOPLE)


def test_the_same_run_twice_at_once_is_one_campaign(world: World) -> None:
    files = world.campaign(PEOPLE)
    runs = [world.start("run", *files, log=f"run-{n}.log") for n in range(2)]
    for process in runs:
        process.communicate(timeout=120)

    assert [process.returncode for process in runs] == [0, 0]
    judge(world, PEOPLE)
