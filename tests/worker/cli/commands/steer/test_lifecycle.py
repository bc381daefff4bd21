"""Steering says what it did, does it once, and takes effect."""

import json
from typing import Any

import pytest
from redis.asyncio import Redis

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName
from pipeline.store.batches import BatchStore
from pipeline.store.campaigns import Snapshot
from pipeline.store.suppressions import Suppressions
from tests.pipeline.installation import Installation
from tests.worker.cli.desk import Desk

ID = "survey-2026-11"


async def submit(ledger: Installation) -> str:
    return await ledger.submitted()


async def finish(ledger: Installation) -> str:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    return serial


async def snapshot(ledger: Installation) -> Snapshot:
    return await ledger.snapshot(str(await ledger.campaigns.find(ID)))


async def cancel(ledger: Installation) -> None:
    await ledger.campaigns.steer(await submit(ledger), "cancel")


async def purge(ledger: Installation) -> None:
    serial = await finish(ledger)
    await ledger.redis.hset(f"cc:{serial}", mapping={"purging": "1", "purged": "1"})  # type: ignore[misc]


def actions(desk: Desk) -> list[str]:
    """Return what the audit trail says was done."""
    return [json.loads(line)["action"] for line in desk.run("audit").stdout.splitlines()]


def test_a_paused_campaign_starts_nothing_until_it_is_resumed(desk: Desk) -> None:
    desk.prepare(submit)
    for words in ("is paused: within a second", "is paused already; see `claimcast resume"):
        assert words in desk.run("pause", ID).stderr
    assert not desk.prepare(lambda ledger: ledger.claims(Lane.ORDER))
    for words in ('" goes on.', "was neither paused nor blocked: it goes on already"):
        told = desk.run("resume", ID).stderr
        assert words in told
        assert "No worker is running" in told
    assert actions(desk) == ["submit", "pause", "resume"], "what changes nothing leaves no trace"
    assert len(desk.prepare(lambda ledger: ledger.claims(Lane.ORDER))) == 3


def test_resuming_lifts_a_block(desk: Desk) -> None:
    async def block(ledger: Installation) -> None:
        await ledger.campaigns.block(
            await submit(ledger), "o", "order_refused", "no such thing", probe_after=0
        )

    desk.prepare(block)
    assert "Blocked" not in desk.run("resume", ID).stderr
    assert desk.prepare(snapshot).text("blk:o") is None


def test_cancelling_says_what_happens_and_is_final(desk: Desk) -> None:
    async def order(ledger: Installation) -> None:
        await ledger.ordered(await submit(ledger))

    desk.prepare(order)
    told = desk.run("cancel", ID, "--yes").stderr
    assert "5 messages will not be sent; 3 open orders (5 links) will be read to the end" in told
    assert "was cancelled before" in desk.run("cancel", ID).stderr
    for words in (["pause"], ["resume"], ["retry", "--failed"]):
        assert "that is final" in desk.run(words[0], ID, *words[1:], code=2).stderr


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_cancelling_asks_on_a_terminal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    desk.prepare(submit)
    # Click's runner puts its own standard input in place, which is never a terminal.
    monkeypatch.setattr("worker.cli.console.confirm.on_terminal", lambda: True)
    assert "for good?" in desk.run("cancel", ID, code=code, typed=answer).stderr
    assert bool(desk.prepare(snapshot).text("can")) == (code == 0)


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_a_finished_campaign_is_not_steered(desk: Desk, command: str) -> None:
    desk.prepare(finish)
    told = desk.run(command, ID, code=2).stderr
    assert "has finished" in told
    assert desk.prepare(snapshot).text("pau") is None


def test_retrying_needs_to_know_what(desk: Desk) -> None:
    desk.prepare(submit)
    assert "--failed, --uncertain, --held" in desk.run("retry", ID, code=2).stderr
    assert "goes with --held" in desk.run("retry", ID, "--failed", "--adopt", code=2).stderr


def test_failed_deliveries_are_pending_again(desk: Desk) -> None:
    async def fail(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.fulfilled(serial)
        await ledger.settled(serial, "f", "smtp_550")

    desk.prepare(fail)
    assert "5 deliveries pending again, 0 held batches" in desk.run("retry", ID, "--failed").stderr
    assert desk.prepare(snapshot).deliveries()["pending"] == 5
    assert "nothing of that kind" in desk.run("retry", ID, "--failed").stderr
    assert "every invariant holds" in desk.run("verify", ID).stdout


def test_who_is_on_the_suppression_list_is_left_out_of_a_retry_and_the_way_out_is_told(
    desk: Desk,
) -> None:
    async def fail(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.fulfilled(serial)
        await ledger.settled(serial, "f", "smtp_550_5.1.1")
        listed = Suppressions(ledger.redis, ledger.vault)
        for number in range(5):
            await listed.add(ChannelName.EMAIL, f"p{number}@example.com", "smtp_550_5.1.1")

    desk.prepare(fail)
    for _ in range(2):
        told = desk.run("retry", ID, "--failed").stderr
        assert "0 deliveries pending again" in told
        assert "5 deliveries left out" in told
        assert "(5 x smtp_550_5.1.1)" in told
        assert f"`claimcast resend {ID} RECIPIENT --email ADDRESS`" in told
        assert told.count("`claimcast suppress remove --email ADDRESS`") == 1
        assert desk.prepare(snapshot).deliveries()["failed"] == 5
    desk.run("suppress", "remove", "--email", "p3@example.com")
    told = desk.run("retry", ID, "--failed").stderr
    assert "1 delivery pending again" in told
    assert "4 deliveries left out" in told
    assert "every invariant holds" in desk.run("verify", ID).stdout


def test_held_batches_move_on_and_may_adopt(desk: Desk) -> None:
    async def hold(ledger: Installation) -> None:
        await submit(ledger)
        for claim in await ledger.claims(Lane.ORDER):
            await ledger.batches.hold(claim, "foreign_order", missing=0, reread=0)

    desk.prepare(hold)
    told = desk.run("retry", ID, "--held", "--adopt").stderr
    assert "0 deliveries pending again, 3 held batches moved on." in told
    claims = desk.prepare(lambda ledger: ledger.claims(Lane.ORDER))
    assert [claim.batch.adopt for claim in claims] == [True, True, True]


@pytest.mark.parametrize("paused", [True, False])
def test_retrying_lifts_blocks_but_not_the_pause_of_a_person(desk: Desk, *, paused: bool) -> None:
    async def block(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.campaigns.block(serial, "s", "smtp_535_5.7.8", "no", probe_after=0)
        if paused:
            await ledger.campaigns.steer(serial, "pause")

    desk.prepare(block)
    told = desk.run("retry", ID, "--held").stderr
    found = desk.prepare(snapshot)
    assert (found.text("pau") is not None) == paused
    assert (found.text("blk:s") is not None) == paused
    assert ("It is paused" in told) == paused


def test_a_pause_during_a_retry_is_not_undone_by_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def block(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.campaigns.block(serial, "s", "smtp_535_5.7.8", "no", probe_after=0)

    retried = BatchStore.retry

    async def retry(store: BatchStore, serial: str, batch: int, **wanted: Any) -> tuple[int, int]:  # noqa: ANN401 - as it is given
        # Another person, after the command has looked and before it lifts what blocks.
        async with Redis.from_url(desk.url) as redis:
            ledger = await Installation.opened(redis, desk.key)
            await ledger.campaigns.steer(serial, "pause")
        return await retried(store, serial, batch, **wanted)

    desk.prepare(block)
    monkeypatch.setattr(BatchStore, "retry", retry)
    told = desk.run("retry", ID, "--held").stderr

    assert "It is paused" in told
    assert desk.prepare(snapshot).text("pau") is not None


def test_what_is_final_is_not_done_where_nobody_can_be_asked(desk: Desk) -> None:
    desk.prepare(submit)

    told = desk.run("cancel", ID, code=2).stderr

    assert "5 messages will not be sent" in told, "what it would do is said all the same"
    assert "with --yes it is done. Nothing was changed.\n" in told
    assert desk.prepare(snapshot).text("can") is None
    assert "cancel" not in actions(desk)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (finish, ("pause",)),
        (finish, ("resume",)),
        (finish, ("cancel", "--yes")),
        (cancel, ("pause",)),
        (cancel, ("resume",)),
        (cancel, ("retry", "--failed")),
        (purge, ("retry", "--failed")),
        (submit, ("retry",)),
    ],
)
def test_what_is_refused_leaves_no_trace(desk: Desk, prepare: Any, words: tuple[str, ...]) -> None:  # noqa: ANN401 - any of the above
    desk.prepare(prepare)
    command, *options = words

    desk.run(command, ID, *options, code=2)

    assert actions(desk) == ["submit"]
