"""The command `verify`: what holds, and what is named where it does not."""

from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish, submit


def test_verify_says_that_everything_holds(cli: CommandLine) -> None:
    cli.prepare(finish)
    result = cli.run("verify", ID)
    assert "5 links, ordered for 50.00: every invariant holds." in result.stdout
    assert result.stderr == ""


def test_verify_says_that_the_campaign_has_not_ended(cli: CommandLine) -> None:
    cli.prepare(submit)
    assert "counters were compared while they stood still" in cli.run("verify", ID).stderr


def test_verify_names_what_is_broken_and_fails(cli: CommandLine) -> None:
    async def damage(ledger: Installation) -> None:
        await ledger.redis.hset(f"cc:{await finish(ledger)}:b:2", "po", "CC-x-1")

    cli.prepare(damage)
    output = cli.run("verify", ID, code=1).stdout
    assert "invariant 1 (po_number), batch 2: its PO number is CC-x-1" in output
    assert "1 violation." in output


def test_verify_without_a_rewards_api_cannot_ask_it(cli: CommandLine) -> None:
    cli.prepare(finish)
    assert "not configured" in cli.run("verify", ID, "--remote", code=2).stderr


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
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORDERS", "READS", "EMAIL"):
        monkeypatch.setenv(f"CLAIMCAST_LIMITS__{name}", "unlimited")
    monkeypatch.setenv("CLAIMCAST_BATCH_SIZE", "3")
    toml, people = tmp_path / "c.toml", tmp_path / "p.csv"
    toml.write_text(CAMPAIGN)
    people.write_text("id,email\n" + "".join(f"r{i},p{i}@example.com\n" for i in range(7)))
    cli.run_outside("run", str(toml), str(people), "--yes")
    output = cli.run("verify", ID, "--remote").stdout
    assert "7 links, ordered for 70.00, 3 orders read again: every invariant holds." in output

    async def exchange(ledger: Installation) -> None:
        serial = await ledger.campaigns.find(ID)
        links = await ledger.batches.links(str(serial), 1)
        links[2] = "https://links.example/another"
        sealed = ledger.vault.seal("\n".join(links).encode(), f"links:{serial}:1")
        await ledger.redis.set(f"cc:{serial}:k:1", sealed)
        await ledger.redis.hset(f"cc:{serial}:b:2", "oid", "no-such-order")

    cli.prepare(exchange)
    output = cli.run("verify", ID, "--remote", code=1).stdout
    assert "(remote_links), batch 1: order " in output
    assert "does not show 1 stored links, first number 3" in output
    assert "(remote_order), batch 2: the API knows no no-such-order" in output
