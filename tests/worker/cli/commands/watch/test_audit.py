"""Who did what when, as people and programs get to see it."""

import getpass
import json
from typing import Any

import pytest

from tests.pipeline.installation import Installation
from tests.worker.cli.desk import Desk
from tests.worker.cli.prepared import ID, finish


def trail(desk: Desk, *words: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in desk.run("audit", *words, code=code).stdout.splitlines()]


def test_what_commands_did_stands_in_the_trail_with_the_system_user(desk: Desk) -> None:
    desk.prepare(lambda ledger: ledger.submitted())
    desk.run("pause", ID)
    desk.run("resume", ID, "--actor", "Ann of support")
    desk.run("report", ID, "--with-links", "--yes")
    entries = trail(desk, ID)
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4]
    assert [(entry["action"], entry["actor"]) for entry in entries[1:]] == [
        ("pause", getpass.getuser()),
        ("resume", "Ann of support"),
        ("reveal", getpass.getuser()),
    ]
    assert entries[0]["details"] == {"recipients": 5, "product": "CVS", "value": "10.00"}
    assert entries[3]["details"] == {"links": True, "addresses": False}
    assert entries[3]["at"].endswith("Z")


def test_what_concerns_no_campaign_is_in_the_whole_trail(desk: Desk) -> None:
    desk.prepare(lambda ledger: ledger.submitted())
    desk.run("limits", "set", "email", "5/s")
    desk.run("suppress", "add", "--email", "p1@example.com", "--reason", "asked by phone")
    assert [entry["action"] for entry in trail(desk)] == ["submit", "limits", "suppress"]
    assert [entry["action"] for entry in trail(desk, ID)] == ["submit"]
    assert "p1@" not in desk.run("audit").stdout


def test_a_command_that_was_refused_leaves_nothing(desk: Desk) -> None:
    desk.prepare(finish)
    desk.run("report", ID, "--with-links", code=2)
    desk.run("limits", "set", "post", "5/s", code=2)
    assert {entry["action"] for entry in trail(desk)} == {"submit"}


def test_an_unknown_campaign_is_told(desk: Desk) -> None:
    assert 'There is no campaign "nobody"' in desk.run("audit", "nobody", code=2).stderr


def test_one_changed_byte_is_named_by_audit_and_by_verify(desk: Desk) -> None:
    desk.prepare(finish)
    desk.run("report", ID, "--with-addresses", "--yes")
    desk.run("limits", "set", "email", "5/s")

    async def tamper(ledger: Installation) -> None:
        [text] = await ledger.redis.lrange("cc:audit", 1, 1)
        changed = text.replace(b'"addresses": true', b'"addresses": tru' + b"E")
        assert changed != text
        await ledger.redis.lset("cc:audit", 1, changed.replace(b"truE", b"null"))

    assert desk.run("verify", ID).exit_code == 0
    desk.prepare(tamper)
    assert "audit: entry 2 of" in desk.run("verify", ID, code=1).stdout
    assert "cannot be trusted: entry 2 of" in desk.run("audit", code=1).stderr


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
def test_an_actor_must_have_a_name(desk: Desk, name: str) -> None:
    assert "--actor" in desk.run("pause", ID, "--actor", name, code=2).stderr
