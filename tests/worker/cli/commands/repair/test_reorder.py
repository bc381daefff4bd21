"""Ending a dead order asks for a person's word, says what it does, and does it once."""

import json

from pipeline.domain.batch import Lane
from tests.pipeline.installation import Installation, links_of
from tests.worker.cli.command_line import CommandLine

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


def trail(cli: CommandLine) -> list[dict[str, object]]:
    return [json.loads(line) for line in cli.run("audit", ID).stdout.splitlines()]


def test_without_a_word_of_the_operator_it_says_what_would_be_done(cli: CommandLine) -> None:
    serial = cli.prepare(dead)
    output = cli.run("reorder", ID, "2", code=2).stderr
    assert "1 link came of it and stays with the first people" in output
    assert "1 person moves to batch 4" in output
    assert "under PO number CC-survey-2026-11-00004, for 10.00" in output
    assert "What the old order cost may be spent" in output
    assert f"order order-{serial}-2 under PO number CC-survey-2026-11-00002 is dead" in output
    assert "run this again with --yes; nothing was changed" in output
    assert cli.prepare(batches) == 3
    assert "reorder" not in {entry["action"] for entry in trail(cli)}


def test_status_names_the_batch_and_the_command(cli: CommandLine) -> None:
    cli.prepare(dead)
    shown = " ".join(cli.run("status", ID).stdout.split())
    assert "Held, 1 batch (number 2)" in shown
    assert f"`claimcast reorder {ID} BATCH --yes` orders anew" in shown


def test_with_it_the_order_is_ended_once_and_everybody_is_reached(cli: CommandLine) -> None:
    cli.prepare(dead)
    output = cli.run("reorder", ID, "2", "--yes", "--actor", "ada").stderr
    assert "Batch 2 was reordered as batch 4." in output
    for more in ([], ["--yes"]):
        assert "was reordered before, as batch 4." in cli.run("reorder", ID, "2", *more).stderr
    (entry,) = [entry for entry in trail(cli) if entry["action"] == "reorder"]
    assert (entry["actor"], entry["campaign"]) == ("ada", ID)
    details = entry["details"]
    assert isinstance(details, dict)
    assert (details["batch"], details["new_batch"]) == (2, 4)
    assert (details["kept"], details["moved"]) == (1, 1)
    cli.prepare(finish)
    assert "every invariant holds" in cli.run("verify", ID).stdout
    rows = cli.run("report", ID).stdout.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["r0", "r1", "r2", "r4", "r3"]
    assert "moved to batch 4" in " ".join(cli.run("recipient", ID, "r3").stdout.split())


def test_an_overdue_order_is_named_too_and_can_be_ended(cli: CommandLine) -> None:
    async def overdue(ledger: Installation) -> None:
        for claim in await ledger.ordered(await ledger.submitted()):
            await ledger.batches.hold(claim, "order_overdue", missing=0, reread=900)

    cli.prepare(overdue)
    assert "Held, 3 batches (number 1, 2, 3)" in " ".join(cli.run("status", ID).stdout.split())
    for number in ("1", "2", "3"):
        cli.run("reorder", ID, number, "--yes")
    assert len(cli.prepare(lambda ledger: ledger.claims(Lane.ORDER))) == 3


def test_what_cannot_be_ended_is_a_sentence(cli: CommandLine) -> None:
    cli.prepare(dead)
    assert "is not held" in cli.run("reorder", ID, "1", "--yes", code=2).stderr
    assert "has batches 1 to 3" in cli.run("reorder", ID, "9", "--yes", code=2).stderr
    assert "There is no campaign" in cli.run("reorder", "other", "1", code=2).stderr


def test_a_retry_leaves_an_entry_before_anything_is_done(cli: CommandLine) -> None:
    cli.prepare(dead)
    cli.run("retry", ID, "--held", "--actor", "ada")
    cli.run("retry", ID, "--held", "--adopt", "--actor", "bob")
    found = [(entry["action"], entry["actor"]) for entry in trail(cli)]
    assert found[-2:] == [("retry", "ada"), ("adopt", "bob")]
