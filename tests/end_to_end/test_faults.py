"""Everything goes wrong now and then, and it still adds up, person by person."""

import csv
import io
from pathlib import Path

from tests.end_to_end.support.world import World, judge, open_world

PEOPLE = 1500
ORDER_FAULTS = [
    "order_504_after_commit",
    "order_reset_after_commit",
    "order_500",
    "order_429",
    "read_500",
    "read_429",
    "read_404",
    "token_504",
    "token_expires_early",
    "links_twice",
    "extra_urls",
    "status_unknown",
]
MAIL_FAULTS = [
    "rcpt_450",
    "rcpt_greylist",
    "rcpt_421",
    "data_451",
    "data_policy",
    "drop_after_store",
    "drop_before_store",
    "refuse",
]


def test_five_percent_of_every_fault_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with open_world(
        tmp_path, "--async-above", "50", "--async-delay", "0.2", "--seed", "7"
    ) as world:
        world.switch("faults", **dict.fromkeys(ORDER_FAULTS, 0.05))
        world.switch("smtp-faults", **dict.fromkeys(MAIL_FAULTS, 0.02))
        # A greylisted address is asked again after a minute; here every one comes at once.
        world.switch("smtp-faults", rcpt_greylist=0.0)
        world.run("run", *world.campaign(PEOPLE), code=[0, 1])

        judge(world, PEOPLE, repeats=True)
        world.run("verify", "e2e")


def test_refused_people_are_reported_by_name_and_everybody_else_is_reached(world: World) -> None:
    toml, csv_file = world.campaign(300)
    lines = Path(csv_file).read_text("utf-8").splitlines()
    refused = [f"r{n}" for n in range(0, 300, 10)]
    for n in range(0, 300, 10):
        lines[n + 1] = lines[n + 1].replace("person-", "bounce-person-")
    Path(csv_file).write_text("\n".join(lines) + "\n", "utf-8")

    world.run("run", toml, csv_file, code=1)

    rows = list(csv.DictReader(io.StringIO(world.run("report", "e2e", "--format", "csv"))))
    assert [row["recipient_id"] for row in rows] == [f"r{n}" for n in range(300)]
    failed = {row["recipient_id"]: row["code"] for row in rows if row["status"] == "failed"}
    assert failed == dict.fromkeys(refused, "smtp_550_5.1.1")
    reached = {mail.to for mail in world.mails()}
    assert reached == {f"person-{n}@example.com" for n in range(300) if n % 10}
    assert world.status()["people"] == {"reached": 270, "not_reached": 30, "open": 0}


def test_without_funds_it_waits_for_them_and_then_goes_on(tmp_path: Path) -> None:
    with open_world(tmp_path, "--async-above", "1000", "--funds", "2000") as world:
        world.env["CLAIMCAST_REWARDS__FUNDS_PROBE"] = "0.5"
        process = world.start("run", *world.campaign(500))
        try:
            world.wait_for_state("blocked")
            assert world.status()["reason"] == "insufficient_funds"
            world.fund("5000")
            process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == 0
        judge(world, 500)
