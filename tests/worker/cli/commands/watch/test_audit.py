"""Who did what when, as people and programs get to see it."""

import getpass
import json
from typing import Any

import pytest

from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish


def trail(cli: CommandLine, *words: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli.run("audit", *words, code=code).stdout.splitlines()]


def test_what_commands_did_stands_in_the_trail_with_the_system_user(cli: CommandLine) -> None:
    cli.prepare(lambda ledger: ledger.submitted())
    cli.run("pause", ID)
    cli.run("resume", ID, "--actor", "Ann of support")
    cli.run("report", ID, "--with-links", "--yes")
    entries = trail(cli, ID)
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4]
    assert [(entry["action"], entry["actor"]) for entry in entries[1:]] == [
        ("pause", getpass.getuser()),
        ("resume", "Ann of support"),
        ("reveal", getpass.getuser()),
    ]
    assert entries[0]["details"] == {"recipients": 5, "product": "CVS", "value": "10.00"}
    assert entries[3]["details"] == {"links": True, "addresses": False}
    assert entries[3]["at"].endswith("Z")


def test_what_concerns_no_campaign_is_in_the_whole_trail(cli: CommandLine) -> None:
    cli.prepare(lambda ledger: ledger.submitted())
    cli.run("limits", "set", "email", "5/s")
    cli.run("suppress", "add", "--email", "p1@example.com", "--reason", "asked by phone")
    assert [entry["action"] for entry in trail(cli)] == ["submit", "limits", "suppress"]
    assert [entry["action"] for entry in trail(cli, ID)] == ["submit"]
    assert "p1@" not in cli.run("audit").stdout


def test_a_command_that_was_refused_leaves_nothing(cli: CommandLine) -> None:
    cli.prepare(finish)
    cli.run("report", ID, "--with-links", code=2)
    cli.run("limits", "set", "post", "5/s", code=2)
    assert {entry["action"] for entry in trail(cli)} == {"submit"}


def test_an_unknown_campaign_is_reported(cli: CommandLine) -> None:
    assert 'There is no campaign "nobody"' in cli.run("audit", "nobody", code=2).stderr


def test_one_changed_byte_is_named_by_audit_and_by_verify(cli: CommandLine) -> None:
    cli.prepare(finish)
    cli.run("report", ID, "--with-addresses", "--yes")
    cli.run("limits", "set", "email", "5/s")

    async def tamper(ledger: Installation) -> None:
        [text] = await ledger.redis.lrange("cc:audit", 1, 1)
        changed = text.replace(b'"addresses": true', b'"addresses": tru' + b"E")
        assert changed != text
        await ledger.redis.lset("cc:audit", 1, changed.replace(b"truE", b"null"))

    assert cli.run("verify", ID).exit_code == 0
    cli.prepare(tamper)
    assert "audit: entry 2 of" in cli.run("verify", ID, code=1).stdout
    assert "cannot be trusted: entry 2 of" in cli.run("audit", code=1).stderr


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
def test_an_actor_must_have_a_name(cli: CommandLine, name: str) -> None:
    assert "--actor" in cli.run("pause", ID, "--actor", name, code=2).stderr
