"""The command `retry`: what is tried again, what is left out, and what it unblocks."""

from typing import Any

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store.batches import BatchStore
from pipeline.store.suppressions import Suppressions
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, snapshot, submit


def test_retrying_needs_to_know_what(cli: CommandLine) -> None:
    cli.prepare(submit)
    assert "--failed, --uncertain, --held" in cli.run("retry", ID, code=2).stderr
    assert "goes with --held" in cli.run("retry", ID, "--failed", "--adopt", code=2).stderr


def test_failed_deliveries_are_pending_again(cli: CommandLine) -> None:
    async def fail(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.fulfilled(serial)
        await ledger.settled(serial, FactKind.FAILED, "smtp_550")

    cli.prepare(fail)
    assert "5 deliveries pending again, 0 held batches" in cli.run("retry", ID, "--failed").stderr
    assert cli.prepare(snapshot).deliveries()["pending"] == 5
    assert "nothing of that kind" in cli.run("retry", ID, "--failed").stderr
    assert "every invariant holds" in cli.run("verify", ID).stdout


def test_a_suppressed_person_is_left_out_of_a_retry_and_the_way_out_is_reported(
    cli: CommandLine,
) -> None:
    async def fail(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.fulfilled(serial)
        await ledger.settled(serial, FactKind.FAILED, "smtp_550_5.1.1")
        listed = Suppressions(ledger.redis, ledger.vault)
        for number in range(5):
            await listed.add(ChannelName.EMAIL, f"p{number}@example.com", "smtp_550_5.1.1")

    cli.prepare(fail)
    for _ in range(2):
        output = cli.run("retry", ID, "--failed").stderr
        assert "0 deliveries pending again" in output
        assert "5 deliveries left out" in output
        assert "(5 x smtp_550_5.1.1)" in output
        assert f"`claimcast resend {ID} RECIPIENT --email ADDRESS`" in output
        assert output.count("`claimcast suppress remove --email ADDRESS`") == 1
        assert cli.prepare(snapshot).deliveries()["failed"] == 5
    cli.run("suppress", "remove", "--email", "p3@example.com")
    output = cli.run("retry", ID, "--failed").stderr
    assert "1 delivery pending again" in output
    assert "4 deliveries left out" in output
    assert "every invariant holds" in cli.run("verify", ID).stdout


def test_held_batches_move_on_and_may_adopt(cli: CommandLine) -> None:
    async def hold(ledger: Installation) -> None:
        await submit(ledger)
        for claim in await ledger.claims(Lane.ORDER):
            await ledger.batches.hold(claim, "foreign_order", missing=0, reread=0)

    cli.prepare(hold)
    output = cli.run("retry", ID, "--held", "--adopt").stderr
    assert "0 deliveries pending again, 3 held batches moved on." in output
    claims = cli.prepare(lambda ledger: ledger.claims(Lane.ORDER))
    assert [claim.batch.order.adopt for claim in claims] == [True, True, True]


@pytest.mark.parametrize("paused", [True, False])
def test_retrying_lifts_blocks_but_not_the_pause_of_a_person(
    cli: CommandLine, *, paused: bool
) -> None:
    async def block(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.campaigns.block(serial, Lane.SEND, "smtp_535_5.7.8", "no", probe_after=0)
        if paused:
            await ledger.campaigns.steer(serial, "pause")

    cli.prepare(block)
    output = cli.run("retry", ID, "--held").stderr
    found = cli.prepare(snapshot)
    assert (found.paused) == paused
    assert (Lane.SEND in found.blocked) == paused
    assert ("It is paused" in output) == paused


def test_a_pause_during_a_retry_is_not_undone_by_it(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def block(ledger: Installation) -> None:
        serial = await submit(ledger)
        await ledger.campaigns.block(serial, Lane.SEND, "smtp_535_5.7.8", "no", probe_after=0)

    retried = BatchStore.retry

    async def retry(store: BatchStore, serial: str, batch: int, **wanted: Any) -> tuple[int, int]:  # noqa: ANN401 - as it is given
        # Another person, after the command has looked and before it lifts what blocks.
        async with Redis.from_url(cli.url) as redis:
            ledger = await Installation.opened(redis, cli.key)
            await ledger.campaigns.steer(serial, "pause")
        return await retried(store, serial, batch, **wanted)

    cli.prepare(block)
    monkeypatch.setattr(BatchStore, "retry", retry)
    output = cli.run("retry", ID, "--held").stderr

    assert "It is paused" in output
    assert cli.prepare(snapshot).paused
