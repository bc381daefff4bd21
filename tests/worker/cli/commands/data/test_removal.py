"""Removing people on the command line."""

import json
import os
import subprocess
import sys

import pytest
from redis import Redis

from pipeline.store.audit_trail import AuditTrail
from pipeline.store.scripts import Scripts
from sandbox.server import Sandbox
from tests.end_to_end.support.world import opened_values
from tests.pipeline.installation import Installation
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish, submit


def trail(cli: CommandLine) -> list[dict[str, object]]:
    """Return what the audit trail says of removals."""
    entries = [json.loads(line) for line in cli.run("audit").stdout.splitlines()]
    return [entry for entry in entries if entry["action"] in {"purge", "forget"}]


def test_purging_says_what_it_does_and_is_recorded_first(cli: CommandLine) -> None:
    cli.prepare(finish)
    said = cli.run("purge", ID, "--yes", "--actor", "Ann").stderr
    assert "5 people" in said
    (entry,) = trail(cli)
    assert (entry["action"], entry["actor"], entry["campaign"]) == ("purge", "Ann", ID)
    assert "was purged before" in cli.run("purge", ID).stderr
    assert len(trail(cli)) == 1


def test_what_has_not_ended_is_not_purged(cli: CommandLine) -> None:
    cli.prepare(submit)
    assert "claimcast cancel" in cli.run("purge", ID, "--yes", code=2).stderr


def test_after_a_purge_every_command_answers(cli: CommandLine) -> None:
    cli.prepare(finish)
    cli.run("purge", ID, "--yes")
    assert "were purged on" in cli.run("status", ID).stdout
    assert json.loads(cli.run("status", ID, "--json").stdout)["purged_at"]
    checked = cli.run("verify", ID)
    assert "every invariant holds" in checked.stdout
    assert "purged on" in checked.stderr
    assert len(cli.run("report", ID).stdout.splitlines()) == 6
    assert "purged" in cli.run("report", ID, "--with-links", "--yes", code=2).stderr
    assert "purged with the whole campaign" in cli.run("recipient", ID, "r3").stdout
    assert "nothing is left" in cli.run("forget", ID, "r3", "--yes", code=2).stderr
    assert "purged" in cli.run("retry", ID, "--failed", code=2).stderr


def test_forgetting_is_recorded_with_a_digest_of_the_person(cli: CommandLine) -> None:
    cli.prepare(submit)
    said = cli.run("forget", ID, "r3", "--yes", "--actor", "Ann").stderr
    assert "They are forgotten." in said
    (entry,) = trail(cli)

    async def digest(ledger: Installation) -> str:
        audit = AuditTrail(ledger.redis, Scripts(ledger.redis), ledger.vault)
        return audit.person_digest(ID, "r3")

    assert (entry["action"], entry["actor"]) == ("forget", "Ann")
    assert entry["details"] == {"recipient": cli.prepare(digest)}
    assert "forgotten before, on" in cli.run("forget", ID, "r3").stderr
    assert len(trail(cli)) == 1


def test_after_forgetting_every_command_answers(cli: CommandLine) -> None:
    cli.prepare(finish)
    cli.run("forget", ID, "r3", "--yes")
    assert "forgotten on" in cli.run("recipient", ID, "r3").stdout
    assert json.loads(cli.run("recipient", ID, "r3", "--json").stdout)["forgotten_at"]
    assert "every invariant holds" in cli.run("verify", ID).stdout
    lines = cli.run("report", ID, "--with-links", "--with-addresses", "--yes").stdout
    assert "p3@example.com" not in lines
    assert len(lines.splitlines()) == 6


def test_a_worker_purges_what_ended_long_ago(
    cli: CommandLine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sandbox.base_url, "a worker needs the settings of an API"
    monkeypatch.setenv("CLAIMCAST_RETENTION", "1")
    serial = cli.prepare(finish)

    async def let_days_pass(ledger: Installation) -> None:
        await ledger.redis.hset(f"cc:{serial}", "fin", "1")

    cli.prepare(let_days_pass)
    worker = subprocess.Popen(
        [sys.executable, "-m", "worker.cli", "worker"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_sync(lambda: cli.prepare(lambda ledger: ledger.snapshot(serial)).purged_ms)
        worker.terminate()
        assert worker.wait(timeout=120) == 0
    finally:
        worker.kill()
    assert [entry["actor"] for entry in trail(cli)] == ["retention"]


def test_an_unknown_person_is_a_sentence(cli: CommandLine) -> None:
    cli.prepare(submit)
    assert 'has no recipient "r9"' in cli.run("forget", ID, "r9", "--yes", code=2).stderr


@pytest.mark.parametrize("words", [("purge", ID), ("forget", ID, "r3")])
def test_somebody_who_is_asked_may_say_no(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    cli.prepare(finish)
    monkeypatch.setattr("worker.cli.console.confirm.on_terminal", lambda: True)
    assert "Nothing was changed." in cli.run(*words, typed="n\n", code=1).stderr
    assert trail(cli) == []


@pytest.mark.parametrize("words", [("purge", ID), ("forget", ID, "r3")])
def test_nothing_is_removed_where_nobody_can_be_asked(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    cli.prepare(finish)
    output = cli.run(*words, code=2).stderr
    assert "for good" in output
    assert "with --yes it is done. Nothing was changed.\n" in output
    assert "p…@example.com" in cli.run("recipient", ID, "r3").stdout
    assert trail(cli) == []


@pytest.mark.parametrize("words", [("purge", ID), ("forget", ID, "r3")])
def test_nothing_of_the_person_is_left_in_any_value(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    serial = cli.prepare(finish)
    person = [b"p3@example.com", f"/{serial}/2/1".encode()]
    with Redis.from_url(cli.url) as redis:
        before = opened_values(redis, cli.key)
        assert all(word in before for word in person), "the values were not opened"
        cli.run(*words, "--yes")
        after = opened_values(redis, cli.key)
    assert not [word for word in person if word in after]
    assert (b"p1@example.com" in after) == (words[0] == "forget")
