"""The command says what goes where, refuses in one sentence, and shows no address."""

import pytest

from pipeline.domain.batch import Lane
from tests.pipeline.installation import Installation
from tests.pipeline.operations.resends import OTHER, a_minute_passes
from tests.worker.cli.command_line import CommandLine

ID = "survey-2026-11"


async def reach(ledger: Installation) -> str:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await a_minute_passes(ledger, serial)
    return serial


def test_a_reached_person_gets_the_link_again_once(cli: CommandLine) -> None:
    cli.prepare(reach)
    output = cli.run("resend", ID, "r1", "--actor", "ann").stderr
    assert "The same link goes out by e-mail to p…@example.com (generation 2)." in output
    assert "No worker is running" in output
    assert "nothing to resend yet" in cli.run("resend", ID, "r1", code=2).stderr
    assert len(cli.prepare(lambda ledger: ledger.claims(Lane.SEND))) == 1
    shown = cli.run("recipient", ID, "r1").stdout
    assert "email: resent as generation 2 to p…@example.com" in shown
    assert "generation 2 to p…@example.com: pending" in shown
    assert '"actor": "ann"' in cli.run("audit", ID).stdout
    assert "every invariant holds" in cli.run("verify", ID).stdout


def test_another_address_needs_yes_and_is_shown_masked(cli: CommandLine) -> None:
    cli.prepare(reach)
    refused = cli.run("resend", ID, "r1", "--email", OTHER, code=2).stderr
    assert "to send it to another address too, add --yes" in refused
    output = cli.run("resend", ID, "r1", "--email", f" {OTHER} ", "--yes").stderr
    assert "to o…@example.com" in output
    assert OTHER not in refused + output
    assert OTHER in cli.run("report", ID, "--with-addresses", "--yes").stdout


def test_the_cooldown_says_how_long_to_wait(cli: CommandLine) -> None:
    async def just_now(ledger: Installation) -> None:
        await ledger.finished(await ledger.submitted())

    cli.prepare(just_now)
    refused = cli.run("resend", ID, "r1", "--email", OTHER, "--yes", code=2).stderr
    assert "s more." in refused
    assert "The last message was started" in refused


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--email", "nobody"], "--email is not an e-mail address"),
        (["--phone", "12"], "--phone must be an international number"),
        (["--email", OTHER, "--phone", "+14155552671"], "each of them is a resend of its own"),
        (["--phone", "+14155552671"], "does not use SMS, only e-mail"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    cli: CommandLine, words: list[str], sentence: str
) -> None:
    cli.prepare(reach)
    assert sentence in cli.run("resend", ID, "r1", *words, code=2).stderr


def test_a_suppressed_address_is_reported_at_once(cli: CommandLine) -> None:
    cli.prepare(reach)
    cli.run("suppress", "add", "--email", "p1@example.com")
    assert "suppression list (operator)" in cli.run("resend", ID, "r1", code=2).stderr
