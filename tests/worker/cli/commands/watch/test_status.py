"""What `status` says to people and programs."""

import json

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName
from pipeline.store.rate_limiter import Breaker
from pipeline.views.campaign_status import as_json
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import a_campaign
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish, submit
from worker.cli.progress.campaign_view import FleetState


async def hold(ledger: Installation) -> str:
    serial = await ledger.submitted()
    for claim in await ledger.ordered(serial):
        await ledger.batches.hold(claim, "links_many", missing=0, reread=0)
    return serial


def test_status_as_json_is_the_document_of_the_contract(cli: CommandLine) -> None:
    serial = cli.prepare(finish)
    document = json.loads(cli.run("status", ID, "--json").stdout)
    assert document == as_json(cli.prepare(lambda ledger: ledger.snapshot(serial)))
    assert document["deliveries"]["sent"] == 5
    assert json.loads(cli.run("status", "--json").stdout) == {"campaigns": [document]}


def test_status_of_nothing_is_an_empty_list(cli: CommandLine) -> None:
    assert json.loads(cli.run("status", "--json").stdout) == {"campaigns": []}
    assert "No campaigns." in cli.run("status").stdout


def test_status_shows_all_campaigns_in_a_table(cli: CommandLine) -> None:
    cli.prepare(finish)
    cli.prepare(lambda ledger: ledger.submitted(campaign=a_campaign(id="other")))
    shown = cli.run("status").stdout
    assert ID in shown
    assert "finished" in shown
    assert "other" in shown
    assert "0 workers alive" in shown


def test_status_says_what_holds_a_campaign_up_and_what_moves_it(cli: CommandLine) -> None:
    cli.prepare(hold)
    shown = " ".join(cli.run("status", ID).stdout.split())
    assert "blocked: the order shows more links than ordered (links_many)" in shown
    assert "Held, 3 batches (number 1, 2, 3)" in shown
    assert f"`claimcast retry {ID} --held`" in shown


def test_status_says_what_blocks_ordering(cli: CommandLine) -> None:
    async def block(ledger: Installation) -> None:
        serial = await ledger.submitted()
        await ledger.campaigns.block(serial, Lane.ORDER, "insufficient_funds", "", probe_after=60)

    cli.prepare(block)
    shown = " ".join(cli.run("status", ID).stdout.split())
    assert "blocked: the account at the rewards API does not hold enough" in shown
    assert "It is tried again at " in shown
    assert f"`claimcast resume {ID}`" in shown


def test_status_says_that_no_worker_runs_until_one_does(cli: CommandLine) -> None:
    async def beat(ledger: Installation) -> None:
        seconds, _ = await ledger.redis.time()
        await ledger.redis.zadd("cc:workers", {"alive": seconds + 600, "dead": seconds - 20})

    cli.prepare(submit)
    assert "No worker is running" in cli.run("status", ID).stdout
    cli.prepare(beat)
    shown = cli.run("status", ID).stdout
    assert "1 worker alive" in shown
    assert "No worker is running" not in shown


def test_an_open_breaker_is_reported_while_it_is_open() -> None:
    breaker = Breaker(failures=5, reason="smtp_connect", until_ms=11_000)
    (output,) = FleetState(1, {ChannelName.EMAIL: breaker}, 9_500).silent()
    assert output == "email rests for 2 s: the mail server cannot be reached (smtp_connect)"
    assert not list(FleetState(1, {ChannelName.EMAIL: breaker}, 11_000).silent())


def test_watching_ends_when_the_campaign_has_finished(cli: CommandLine) -> None:
    cli.prepare(finish)
    assert "finished" in cli.run("status", ID, "--watch").stdout
    document = json.loads(cli.run("status", ID, "--watch", "--json").stdout)
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
def test_an_unknown_campaign_is_reported_with_the_nearest(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    cli.prepare(submit)
    command, *rest = words
    output = cli.run(command, "survey-2026-12", *rest, code=2).stderr
    assert output == f'Error: There is no campaign "survey-2026-12"; did you mean "{ID}"?\n'


def test_without_campaigns_an_unknown_one_is_reported_as_such(cli: CommandLine) -> None:
    assert "none was submitted yet" in cli.run("status", "x", code=2).stderr


def test_a_campaign_that_is_being_submitted_is_reported_until_its_submit_is_given_up(
    cli: CommandLine,
) -> None:
    async def stage(ledger: Installation) -> None:
        await ledger.staging.begin(ID, "n", expected_rows=1)

    async def lapse(ledger: Installation) -> None:
        await ledger.redis.hset("cc:staging", ID, "1 n 1700000000000")

    cli.prepare(stage)
    assert "is being submitted at the moment" in cli.run("status", ID, code=2).stderr
    cli.prepare(lapse)
    assert cli.run("status", ID, code=2).stderr == (
        f'Error: A submit of campaign "{ID}" was interrupted; nothing was ordered; run it again.\n'
    )
