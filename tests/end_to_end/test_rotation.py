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


def test_everybody_gets_one_link_whatever_the_keys_do_meanwhile(here: World) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    here.command = PATIENT  # a mail that is not settled before its worker ends is sent again
    here.env |= {"CLAIMCAST_SECRET_KEYS": old, "CLAIMCAST_BATCH_SIZE": "20"}
    # The rest comes much later than the keys, however busy this machine is.
    here.env["CLAIMCAST_LIMITS__EMAIL"] = "3/s"
    first = here.start("worker", log="old.log")
    here.run("submit", *here.campaign(PEOPLE))
    wait_until_sync(lambda: len(here.mails()) > 5)

    here.env["CLAIMCAST_SECRET_KEYS"] = f"{new},{old}"
    here.run("rekey", code=2)  # the worker that runs lacks the new key
    stop(first)
    second = here.start("worker", log="both.log")
    here.run("rekey")
    assert len(here.mails()) < PEOPLE, "a rotation after everything is over proves nothing"
    stop(second)

    here.env |= {"CLAIMCAST_SECRET_KEYS": new, "CLAIMCAST_LIMITS__EMAIL": "unlimited"}
    third = here.start("worker", log="new.log")
    here.wait_for_state("finished")
    stop(third)
    judge(here, PEOPLE)
    here.run("rekey", "--check")
    here.run("verify", "e2e", "--remote")
    assert "unit.failed" not in (here.directory / "new.log").read_text()


def test_a_worker_without_the_key_of_a_blob_stops_and_fails_nobody(here: World) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    here.env["CLAIMCAST_SECRET_KEYS"] = old
    lacking = here.start("worker", log="old.log")
    wait_until_sync(lambda: "worker.started" in (here.directory / "old.log").read_text())

    here.env["CLAIMCAST_SECRET_KEYS"] = f"{new},{old}"
    here.run("submit", *here.campaign(200))
    lacking.communicate(timeout=120)
    assert lacking.returncode == 2
    assert "with a key that this process lacks" in (here.directory / "old.log").read_text()
    status = json.loads(here.run("status", "e2e", "--json"))
    assert (status["state"], status["people"]["open"]) == ("running", 200)

    worker = here.start("worker", log="both.log")
    here.wait_for_state("finished")
    stop(worker)
    judge(here, 200)
