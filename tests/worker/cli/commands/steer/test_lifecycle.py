"""Steering says what it did, does it once, and takes effect."""

import json
from typing import Any

import pytest

from pipeline.domain.batch import Lane
from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish, snapshot, submit


async def cancel(ledger: Installation) -> None:
    await ledger.campaigns.steer(await submit(ledger), "cancel")


async def purge(ledger: Installation) -> None:
    serial = await finish(ledger)
    await ledger.redis.hset(f"cc:{serial}", mapping={"purging": "1", "purged": "1"})


def actions(cli: CommandLine) -> list[str]:
    """Return what the audit trail says was done."""
    return [json.loads(line)["action"] for line in cli.run("audit").stdout.splitlines()]


def test_a_paused_campaign_starts_nothing_until_it_is_resumed(cli: CommandLine) -> None:
    cli.prepare(submit)
    for words in ("is paused: within a second", "is paused already; see `claimcast resume"):
        assert words in cli.run("pause", ID).stderr
    assert not cli.prepare(lambda ledger: ledger.claims(Lane.ORDER))
    for words in ('" goes on.', "was neither paused nor blocked: it goes on already"):
        output = cli.run("resume", ID).stderr
        assert words in output
        assert "No worker is running" in output
    assert actions(cli) == ["submit", "pause", "resume"], "what changes nothing leaves no trace"
    assert len(cli.prepare(lambda ledger: ledger.claims(Lane.ORDER))) == 3


def test_resuming_lifts_a_block(cli: CommandLine) -> None:
    async def block(ledger: Installation) -> None:
        await ledger.campaigns.block(
            await submit(ledger), Lane.ORDER, "order_refused", "no such thing", probe_after=0
        )

    cli.prepare(block)
    assert "Blocked" not in cli.run("resume", ID).stderr
    assert Lane.ORDER not in cli.prepare(snapshot).blocked


def test_cancelling_says_what_happens_and_is_final(cli: CommandLine) -> None:
    async def order(ledger: Installation) -> None:
        await ledger.ordered(await submit(ledger))

    cli.prepare(order)
    output = cli.run("cancel", ID, "--yes").stderr
    assert "5 messages will not be sent; 3 open orders (5 links) will be read to the end" in output
    assert "was cancelled before" in cli.run("cancel", ID).stderr
    for words in (["pause"], ["resume"], ["retry", "--failed"]):
        assert "that is final" in cli.run(words[0], ID, *words[1:], code=2).stderr


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_cancelling_asks_on_a_terminal(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    cli.prepare(submit)
    # Click's runner puts its own standard input in place, which is never a terminal.
    monkeypatch.setattr("worker.cli.console.confirm.on_terminal", lambda: True)
    assert "for good?" in cli.run("cancel", ID, code=code, typed=answer).stderr
    assert bool(cli.prepare(snapshot).cancelled) == (code == 0)


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_a_finished_campaign_is_not_steered(cli: CommandLine, command: str) -> None:
    cli.prepare(finish)
    output = cli.run(command, ID, code=2).stderr
    assert "has finished" in output
    assert cli.prepare(snapshot).paused is False


def test_what_is_final_is_not_done_where_nobody_can_be_asked(cli: CommandLine) -> None:
    cli.prepare(submit)

    output = cli.run("cancel", ID, code=2).stderr

    assert "5 messages will not be sent" in output, "what it would do is said all the same"
    assert "with --yes it is done. Nothing was changed.\n" in output
    assert cli.prepare(snapshot).cancelled is False
    assert "cancel" not in actions(cli)


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
def test_what_is_refused_leaves_no_trace(
    cli: CommandLine,
    prepare: Any,  # noqa: ANN401 - any of the above
    words: tuple[str, ...],
) -> None:
    cli.prepare(prepare)
    command, *options = words

    cli.run(command, ID, *options, code=2)

    assert actions(cli) == ["submit"]
