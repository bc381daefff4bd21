"""What people and programs get to see of a campaign."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from pipeline.domain.models import ChannelName
from pipeline.store.rate_limiter import Breaker
from pipeline.views.campaign_status import as_json
from sandbox.server import Sandbox
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import a_campaign
from tests.worker.cli.desk import Desk
from worker.cli.progress.campaign_view import Surroundings

ID = "survey-2026-11"


async def submit(ledger: Installation) -> str:
    return await ledger.submitted()


async def finish(ledger: Installation) -> str:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    return serial


async def hold(ledger: Installation) -> str:
    serial = await ledger.submitted()
    for claim in await ledger.ordered(serial):
        await ledger.batches.hold(claim, "links_many", missing=0, reread=0)
    return serial


# status ---------------------------------------------------------------------------------------


def test_status_as_json_is_the_document_of_the_contract(desk: Desk) -> None:
    serial = desk.prepare(finish)
    document = json.loads(desk.run("status", ID, "--json").stdout)
    assert document == as_json(desk.prepare(lambda ledger: ledger.snapshot(serial)))
    assert document["deliveries"]["sent"] == 5
    assert json.loads(desk.run("status", "--json").stdout) == {"campaigns": [document]}


def test_status_of_nothing_is_an_empty_list(desk: Desk) -> None:
    assert json.loads(desk.run("status", "--json").stdout) == {"campaigns": []}
    assert "No campaigns." in desk.run("status").stdout


def test_status_shows_all_campaigns_in_a_table(desk: Desk) -> None:
    desk.prepare(finish)
    desk.prepare(lambda ledger: ledger.submitted(campaign=a_campaign(id="other")))
    shown = desk.run("status").stdout
    assert ID in shown
    assert "finished" in shown
    assert "other" in shown
    assert "0 workers alive" in shown


def test_status_says_what_holds_a_campaign_up_and_what_moves_it(desk: Desk) -> None:
    desk.prepare(hold)
    shown = " ".join(desk.run("status", ID).stdout.split())
    assert "blocked: the order shows more links than ordered (links_many)" in shown
    assert "Held, 3 batches (number 1, 2, 3)" in shown
    assert f"`claimcast retry {ID} --held`" in shown


def test_status_says_what_blocks_ordering(desk: Desk) -> None:
    async def block(ledger: Installation) -> None:
        serial = await ledger.submitted()
        await ledger.campaigns.block(serial, "o", "insufficient_funds", "", probe_after=60)

    desk.prepare(block)
    shown = " ".join(desk.run("status", ID).stdout.split())
    assert "blocked: the account at the rewards API does not hold enough" in shown
    assert "It is tried again at " in shown
    assert f"`claimcast resume {ID}`" in shown


def test_status_says_that_no_worker_runs_until_one_does(desk: Desk) -> None:
    async def beat(ledger: Installation) -> None:
        seconds, _ = await ledger.redis.time()
        await ledger.redis.zadd("cc:workers", {"alive": seconds + 600, "dead": seconds - 20})

    desk.prepare(submit)
    assert "No worker is running" in desk.run("status", ID).stdout
    desk.prepare(beat)
    shown = desk.run("status", ID).stdout
    assert "1 worker alive" in shown
    assert "No worker is running" not in shown


def test_an_open_breaker_is_told_while_it_is_open() -> None:
    breaker = Breaker(failures=5, reason="smtp_connect", until_ms=11_000)
    (told,) = Surroundings(1, {ChannelName.EMAIL: breaker}, 9_500).silent()
    assert told == "email rests for 2 s: the mail server cannot be reached (smtp_connect)"
    assert not list(Surroundings(1, {ChannelName.EMAIL: breaker}, 11_000).silent())


def test_watching_ends_when_the_campaign_has_finished(desk: Desk) -> None:
    desk.prepare(finish)
    assert "finished" in desk.run("status", ID, "--watch").stdout
    document = json.loads(desk.run("status", ID, "--watch", "--json").stdout)
    assert document["state"] == "finished"


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("pause",),
        ("resume",),
        ("cancel",),
        ("verify",),
        ("report",),
        ("retry", "--held"),
        ("recipient", "r1"),
    ],
)
def test_an_unknown_campaign_is_told_with_the_nearest(desk: Desk, words: tuple[str, ...]) -> None:
    desk.prepare(submit)
    command, *rest = words
    told = desk.run(command, "survey-2026-12", *rest, code=2).stderr
    assert told == f'Error: There is no campaign "survey-2026-12"; did you mean "{ID}"?\n'


def test_without_campaigns_an_unknown_one_is_told_so(desk: Desk) -> None:
    assert "none was submitted yet" in desk.run("status", "x", code=2).stderr


def test_a_campaign_that_is_being_submitted_is_told_until_its_submit_is_given_up(
    desk: Desk,
) -> None:
    async def stage(ledger: Installation) -> None:
        await ledger.campaigns.begin(ID, "n", expected_rows=1)

    async def lapse(ledger: Installation) -> None:
        await ledger.redis.hset("cc:staging", ID, "1 n 1700000000000")  # type: ignore[misc]

    desk.prepare(stage)
    assert "is being submitted at the moment" in desk.run("status", ID, code=2).stderr
    desk.prepare(lapse)
    assert desk.run("status", ID, code=2).stderr == (
        f'Error: A submit of campaign "{ID}" was interrupted; nothing was ordered; run it again.\n'
    )


# recipient --------------------------------------------------------------------------------------


def test_a_timeline_is_shown_to_people_and_programs(desk: Desk) -> None:
    desk.prepare(finish)
    shown = desk.run("recipient", ID, "r1").stdout
    for part in ("r1", "p…@example.com", "batch 1, position 2", "email: sent", "1 attempt"):
        assert part in shown
    assert "p1@example.com" not in shown
    assert "links.example" not in shown
    document = json.loads(desk.run("recipient", ID, "r1", "--json").stdout)
    assert document["deliveries"][0]["status"] == "sent"


def test_an_unknown_recipient_is_told_in_one_sentence(desk: Desk) -> None:
    desk.prepare(submit)
    told = desk.run("recipient", ID, "nobody", code=2).stderr
    assert told.count("\n") == 1
    assert 'no recipient "nobody"' in told


# report -----------------------------------------------------------------------------------------


def test_a_report_goes_to_standard_output(desk: Desk) -> None:
    desk.prepare(finish)
    rows = list(csv.DictReader(io.StringIO(desk.run("report", ID).stdout)))
    assert [row["recipient_id"] for row in rows] == [f"r{i}" for i in range(5)]
    assert len({row["link_ref"] for row in rows}) == 5
    document = json.loads(desk.run("report", ID, "--format", "json").stdout)
    assert [row["link_ref"] for row in document] == [row["link_ref"] for row in rows]


def test_a_report_file_is_private_and_replaced_at_once(desk: Desk, tmp_path: Path) -> None:
    desk.prepare(finish)
    path = tmp_path / "report.csv"
    path.write_text("old")
    path.chmod(0o644)
    result = desk.run("report", ID, "--output", str(path))
    assert result.stdout == ""
    assert path.read_text("utf-8") == desk.run("report", ID).stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".report")]


def test_a_report_that_fails_leaves_the_old_file(desk: Desk, tmp_path: Path) -> None:
    async def damage(ledger: Installation) -> None:
        await ledger.redis.delete(f"cc:{await finish(ledger)}:b:2")

    desk.prepare(damage)
    path = tmp_path / "report.csv"
    path.write_text("old")
    assert "Batch 2 is gone" in desk.run("report", ID, "--output", str(path), code=2).stderr
    assert path.read_text() == "old"
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".report")]


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(desk: Desk, tmp_path: Path) -> None:
    desk.prepare(submit)
    path = tmp_path / "missing" / "report.csv"
    told = desk.run("report", ID, "--output", str(path), code=2).stderr
    assert told == f"Error: {path} cannot be written: No such file or directory.\n"


@pytest.mark.parametrize("option", ["--with-links", "--with-addresses"])
def test_revealing_needs_yes_and_leaves_a_trace(desk: Desk, option: str) -> None:
    desk.prepare(finish)
    refused = desk.run("report", ID, option, code=2)
    assert refused.stdout == ""
    assert "needs --yes" in refused.stderr
    revealed = desk.run("report", ID, option, "--yes")
    assert ("links.example" in revealed.stdout) == (option == "--with-links")
    assert ("p1@example.com" in revealed.stdout) == (option == "--with-addresses")
    assert "report.revealed" in revealed.stderr
    assert "links.example" not in revealed.stderr
    assert "report.revealed" not in desk.run("report", ID).stderr


# verify -----------------------------------------------------------------------------------------


def test_verify_says_that_everything_holds(desk: Desk) -> None:
    desk.prepare(finish)
    result = desk.run("verify", ID)
    assert "5 links, ordered for 50.00: every invariant holds." in result.stdout
    assert result.stderr == ""


def test_verify_says_that_the_campaign_has_not_ended(desk: Desk) -> None:
    desk.prepare(submit)
    assert "counters were compared while they stood still" in desk.run("verify", ID).stderr


def test_verify_names_what_is_broken_and_fails(desk: Desk) -> None:
    async def damage(ledger: Installation) -> None:
        await ledger.redis.hset(f"cc:{await finish(ledger)}:b:2", "po", "CC-x-1")  # type: ignore[misc]

    desk.prepare(damage)
    told = desk.run("verify", ID, code=1).stdout
    assert "invariant 1 (po_number), batch 2: its PO number is CC-x-1" in told
    assert "1 violation." in told


def test_verify_without_a_rewards_api_cannot_ask_it(desk: Desk) -> None:
    desk.prepare(finish)
    assert "not configured" in desk.run("verify", ID, "--remote", code=2).stderr


CAMPAIGN = f"""
id = "{ID}"
name = "Survey"
[reward]
product_id = "CVS"
value = "10.00"
[delivery]
channels = ["email"]
[email]
subject = "Reward"
text = "{{{{ link }}}}"
"""


def test_verify_compares_with_every_order_at_the_api(
    desk: Desk, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORDERS", "READS", "EMAIL"):
        monkeypatch.setenv(f"CLAIMCAST_LIMITS__{name}", "unlimited")
    monkeypatch.setenv("CLAIMCAST_BATCH_SIZE", "3")
    toml, people = tmp_path / "c.toml", tmp_path / "p.csv"
    toml.write_text(CAMPAIGN)
    people.write_text("id,email\n" + "".join(f"r{i},p{i}@example.com\n" for i in range(7)))
    desk.run_outside("run", str(toml), str(people), "--yes")
    told = desk.run("verify", ID, "--remote").stdout
    assert "7 links, ordered for 70.00, 3 orders read again: every invariant holds." in told

    async def exchange(ledger: Installation) -> None:
        serial = await ledger.campaigns.find(ID)
        links = await ledger.batches.links(str(serial), 1)
        links[2] = "https://links.example/another"
        sealed = ledger.vault.seal("\n".join(links).encode(), f"links:{serial}:1")
        await ledger.redis.set(f"cc:{serial}:k:1", sealed)
        await ledger.redis.hset(f"cc:{serial}:b:2", "oid", "no-such-order")  # type: ignore[misc]

    desk.prepare(exchange)
    told = desk.run("verify", ID, "--remote", code=1).stdout
    assert "(remote_links), batch 1: order " in told
    assert "does not show 1 stored links, first number 3" in told
    assert "(remote_order), batch 2: the API knows no no-such-order" in told
