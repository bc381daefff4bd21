"""Ending a dead order asks for a person's word, says what it does, and does it once."""

import json

from pipeline.domain.batch import Lane
from tests.pipeline.installation import Installation, links_of
from tests.worker.cli.desk import Desk

ID = "survey-2026-11"


async def dead(ledger: Installation) -> str:
    """Batch 2 of three is short of one of its two links."""
    serial = await ledger.submitted()
    for claim in await ledger.ordered(serial):
        links = links_of(claim)
        if claim.unit.batch == 2:
            raw = json.dumps({"Links": [{"Url": links[0]}]}).encode()
            await ledger.batches.hold(claim, "links_short", evidence=raw, missing=1, reread=0)
        else:
            await ledger.batches.links_received(claim, links)
    return serial


async def finish(ledger: Installation) -> None:
    serial = str(await ledger.campaigns.find(ID))
    await ledger.fulfilled(serial)
    await ledger.settled(serial)


async def batches(ledger: Installation) -> int:
    return (await ledger.snapshot(str(await ledger.campaigns.find(ID)))).batch_count


def trail(desk: Desk) -> list[dict[str, object]]:
    return [json.loads(line) for line in desk.run("audit", ID).stdout.splitlines()]


def test_without_a_word_of_the_operator_it_says_what_would_be_done(desk: Desk) -> None:
    serial = desk.prepare(dead)
    told = desk.run("reorder", ID, "2", code=2).stderr
    assert "1 link came of it and stays with the first people" in told
    assert "1 person moves to batch 4" in told
    assert "under PO number CC-survey-2026-11-00004, for 10.00" in told
    assert "What the old order cost may be spent" in told
    assert f"order order-{serial}-2 under PO number CC-survey-2026-11-00002 is dead" in told
    assert "run this again with --yes; nothing was changed" in told
    assert desk.prepare(batches) == 3
    assert "reorder" not in {entry["action"] for entry in trail(desk)}


def test_status_names_the_batch_and_the_command(desk: Desk) -> None:
    desk.prepare(dead)
    shown = " ".join(desk.run("status", ID).stdout.split())
    assert "Held, 1 batch (number 2)" in shown
    assert f"`claimcast reorder {ID} BATCH --yes` orders anew" in shown


def test_with_it_the_order_is_ended_once_and_everybody_is_reached(desk: Desk) -> None:
    desk.prepare(dead)
    told = desk.run("reorder", ID, "2", "--yes", "--actor", "ada").stderr
    assert "Batch 2 was reordered as batch 4." in told
    for more in ([], ["--yes"]):
        assert "was reordered before, as batch 4." in desk.run("reorder", ID, "2", *more).stderr
    (entry,) = [entry for entry in trail(desk) if entry["action"] == "reorder"]
    assert (entry["actor"], entry["campaign"]) == ("ada", ID)
    details = entry["details"]
    assert isinstance(details, dict)
    assert (details["batch"], details["new_batch"]) == (2, 4)
    assert (details["kept"], details["moved"]) == (1, 1)
    desk.prepare(finish)
    assert "every invariant holds" in desk.run("verify", ID).stdout
    rows = desk.run("report", ID).stdout.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["r0", "r1", "r2", "r4", "r3"]
    assert "moved to batch 4" in " ".join(desk.run("recipient", ID, "r3").stdout.split())


def test_an_overdue_order_is_named_too_and_can_be_ended(desk: Desk) -> None:
    async def overdue(ledger: Installation) -> None:
        for claim in await ledger.ordered(await ledger.submitted()):
            await ledger.batches.hold(claim, "order_overdue", missing=0, reread=900)

    desk.prepare(overdue)
    assert "Held, 3 batches (number 1, 2, 3)" in " ".join(desk.run("status", ID).stdout.split())
    for number in ("1", "2", "3"):
        desk.run("reorder", ID, number, "--yes")
    assert len(desk.prepare(lambda ledger: ledger.claims(Lane.ORDER))) == 3


def test_what_cannot_be_ended_is_a_sentence(desk: Desk) -> None:
    desk.prepare(dead)
    assert "is not held" in desk.run("reorder", ID, "1", "--yes", code=2).stderr
    assert "has batches 1 to 3" in desk.run("reorder", ID, "9", "--yes", code=2).stderr
    assert "There is no campaign" in desk.run("reorder", "other", "1", code=2).stderr


def test_a_retry_leaves_an_entry_before_anything_is_done(desk: Desk) -> None:
    desk.prepare(dead)
    desk.run("retry", ID, "--held", "--actor", "ada")
    desk.run("retry", ID, "--held", "--adopt", "--actor", "bob")
    found = [(entry["action"], entry["actor"]) for entry in trail(desk)]
    assert found[-2:] == [("retry", "ada"), ("adopt", "bob")]
