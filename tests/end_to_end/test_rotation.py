"""The keys change while a campaign runs, and nobody notices."""

import json
import subprocess

from cryptography.fernet import Fernet

from tests.end_to_end.support.world import PATIENT, World, judge
from tests.support.waiting import wait_until_sync

PEOPLE = 300


def stop(worker: "subprocess.Popen[str]") -> None:
    worker.terminate()
    worker.communicate(timeout=120)


def test_everybody_gets_one_link_whatever_the_keys_do_meanwhile(world: World) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    world.command = PATIENT  # a mail that is not settled before its worker ends is sent again
    world.env |= {"CLAIMCAST_SECRET_KEYS": old, "CLAIMCAST_BATCH_SIZE": "20"}
    # The rest comes much later than the keys, however busy this machine is.
    world.env["CLAIMCAST_LIMITS__EMAIL"] = "3/s"
    first = world.start("worker", log="old.log")
    world.run("submit", *world.campaign(PEOPLE))
    wait_until_sync(lambda: len(world.mails()) > 5)

    world.env["CLAIMCAST_SECRET_KEYS"] = f"{new},{old}"
    world.run("rekey", code=2)  # the worker that runs lacks the new key
    stop(first)
    second = world.start("worker", log="both.log")
    world.run("rekey")
    assert len(world.mails()) < PEOPLE, "a rotation after everything is over proves nothing"
    stop(second)

    world.env |= {"CLAIMCAST_SECRET_KEYS": new, "CLAIMCAST_LIMITS__EMAIL": "unlimited"}
    third = world.start("worker", log="new.log")
    world.wait_for_state("finished")
    stop(third)
    judge(world, PEOPLE)
    world.run("rekey", "--check")
    world.run("verify", "e2e", "--remote")
    assert "unit.failed" not in (world.directory / "new.log").read_text()


def test_a_worker_without_the_key_of_a_blob_stops_and_fails_nobody(world: World) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    world.env["CLAIMCAST_SECRET_KEYS"] = old
    lacking = world.start("worker", log="old.log")
    wait_until_sync(lambda: "worker.started" in (world.directory / "old.log").read_text())

    world.env["CLAIMCAST_SECRET_KEYS"] = f"{new},{old}"
    world.run("submit", *world.campaign(200))
    lacking.communicate(timeout=120)
    assert lacking.returncode == 2
    assert "with a key that this process lacks" in (world.directory / "old.log").read_text()
    status = json.loads(world.run("status", "e2e", "--json"))
    assert (status["state"], status["people"]["open"]) == ("running", 200)

    worker = world.start("worker", log="both.log")
    world.wait_for_state("finished")
    stop(worker)
    judge(world, 200)
