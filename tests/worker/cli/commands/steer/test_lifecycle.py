"""Steering says what it did, does it once, and takes effect."""

import json
from typing import Any

import pytest

from pipeline.domain.batch import Lane
from tests.pipeline.installation import Installation
from tests.worker.cli.desk import Desk
from tests.worker.cli.prepared import ID, finish, snapshot, submit


async def cancel(ledger: Installation) -> None:
    await ledger.campaigns.steer(await submit(ledger), "cancel")


async def purge(ledger: Installation) -> None:
    serial = await finish(ledger)
    await ledger.redis.hset(f"cc:{serial}", mapping={"purging": "1", "purged": "1"})


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
            await submit(ledger), Lane.ORDER, "order_refused", "no such thing", probe_after=0
        )

    desk.prepare(block)
    assert "Blocked" not in desk.run("resume", ID).stderr
    assert Lane.ORDER not in desk.prepare(snapshot).blocked


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
    assert bool(desk.prepare(snapshot).cancelled) == (code == 0)


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_a_finished_campaign_is_not_steered(desk: Desk, command: str) -> None:
    desk.prepare(finish)
    told = desk.run(command, ID, code=2).stderr
    assert "has finished" in told
    assert desk.prepare(snapshot).paused is False


def test_what_is_final_is_not_done_where_nobody_can_be_asked(desk: Desk) -> None:
    desk.prepare(submit)

    told = desk.run("cancel", ID, code=2).stderr

    assert "5 messages will not be sent" in told, "what it would do is said all the same"
    assert "with --yes it is done. Nothing was changed.\n" in told
    assert desk.prepare(snapshot).cancelled is False
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
