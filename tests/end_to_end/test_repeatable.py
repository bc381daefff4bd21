"""Kill anything, run it again: one order per batch, one link per person."""

import os
import signal
import time

import pytest

from tests.end_to_end.support.world import World, judge, kill_valkey
from tests.support.waiting import wait_until_sync

PEOPLE = 1500


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
def test_a_run_killed_in_the_middle_goes_on(here: World, share: float) -> None:
    files = here.campaign(PEOPLE)
    process = here.start("run", *files)
    wait_until_sync(lambda: len(here.mails()) > PEOPLE * share, timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(here.mails()) < PEOPLE, "it was killed too late to prove anything"

    here.run("run", *files)

    judge(here, PEOPLE, repeats=True)
    # At most what was on the wire or not yet recorded: twice the connections.
    assert len(here.mails()) - PEOPLE <= 2 * int(here.env["CLAIMCAST_SMTP__CONNECTIONS"])
    here.run("verify", "e2e")


def test_a_run_killed_while_it_orders_orders_nothing_twice(here: World) -> None:
    files = here.campaign(PEOPLE)
    process = here.start("run", *files)
    wait_until_sync(lambda: len(here.account()["orders"]) >= 3, timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    here.run("run", *files)

    judge(here, PEOPLE, repeats=True)
    here.run("verify", "e2e")


def test_valkey_killed_in_the_middle_costs_nothing(here: World) -> None:
    files = here.campaign(PEOPLE)
    process = here.start("run", *files)
    wait_until_sync(lambda: len(here.mails()) > PEOPLE * 0.2, timeout=60)
    assert kill_valkey(here.directory)

    output, _ = process.communicate(timeout=90)

    assert process.returncode == 0, output
    judge(here, PEOPLE, repeats=True)
    here.run("verify", "e2e")


def test_run_and_valkey_killed_together_as_by_a_power_cut(here: World) -> None:
    files = here.campaign(PEOPLE)
    process = here.start("run", *files)
    wait_until_sync(lambda: len(here.mails()) > PEOPLE * 0.3, timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    assert kill_valkey(here.directory)
    process.communicate()

    here.run("run", *files)

    judge(here, PEOPLE, repeats=True)
    assert len(here.mails()) - PEOPLE <= 2 * int(here.env["CLAIMCAST_SMTP__CONNECTIONS"])
    here.run("verify", "e2e")


def test_ctrl_c_stops_within_seconds_and_repeats_nothing(here: World) -> None:
    files = here.campaign(PEOPLE)
    process = here.start("run", *files)
    wait_until_sync(lambda: len(here.mails()) > PEOPLE * 0.3, timeout=60)
    asked = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    process.communicate(timeout=30)
    assert time.monotonic() - asked < 10
    assert process.returncode != 0
    left = here.status()
    assert left["deliveries"]["sending"] == 0
    assert left["deliveries"]["uncertain"] == 0

    here.run("run", *files)

    judge(here, PEOPLE)


def test_two_workers_share_what_submit_left(here: World) -> None:
    files = here.campaign(PEOPLE)
    here.run("submit", *files)
    workers = [here.start("worker", log=f"worker-{n}.log") for n in range(2)]
    try:
        wait_until_sync(lambda: here.status()["state"] == "finished", timeout=60)
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.communicate(timeout=20)
    judge(here, PEOPLE)
    logs = [(here.directory / f"worker-{n}.log").read_text() for n in range(2)]
    assert all("batch.distributed" in log for log in logs)


def test_the_same_run_twice_at_once_is_one_campaign(here: World) -> None:
    files = here.campaign(PEOPLE)
    runs = [here.start("run", *files, log=f"run-{n}.log") for n in range(2)]
    for process in runs:
        process.communicate(timeout=90)

    assert [process.returncode for process in runs] == [0, 0]
    judge(here, PEOPLE)
