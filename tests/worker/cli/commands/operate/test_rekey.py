"""Rotation from the command line, and keys that do not fit, in every command."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from pipeline.domain.tasks import stop
from pipeline.domain.vault import Vault
from pipeline.store.fleet.keyring import Keyring
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from tests.worker.cli.command_line import CommandLine

NEW = Fernet.generate_key().decode()


@pytest.fixture
def serial(cli: CommandLine) -> str:
    """A finished campaign of five people."""

    async def finish(ledger: Installation) -> str:
        found = await ledger.submitted()
        await ledger.finished(found)
        return found

    return cli.prepare(finish)


def set_keys(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", ",".join(keys))


@contextmanager
def process(cli: CommandLine, *keys: str) -> Iterator[None]:
    """Run what every process of ours has in common, with these keys, for the time of the block."""
    ready, over = threading.Event(), threading.Event()

    async def live() -> None:
        async with Redis.from_url(cli.url) as redis:
            keyring = Keyring(redis, Vault(keys))
            await keyring.unlock()
            beating = asyncio.create_task(keyring.keep_enrolled(seconds=0.01))
            ready.set()
            await asyncio.to_thread(over.wait)
            await stop(beating)
            await keyring.leave()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert ready.wait(120)
        yield
    finally:
        over.set()
        thread.join()


def blobs(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()[1:]]


@pytest.mark.usefixtures("serial")
def test_the_whole_rotation_step_by_step(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_name, new_name = (Vault([key]).fingerprints[0] for key in (cli.key, NEW))
    assert "Nothing needs another key" in cli.run("rekey", "--check").stderr
    before = cli.run("report", "survey-2026-11").stdout

    set_keys(monkeypatch, NEW)
    assert "encrypted with other keys" in cli.run("rekey", code=2).stderr
    set_keys(monkeypatch, NEW, cli.key)
    looked = cli.run("rekey", "--check", code=1)
    assert blobs(looked.stdout) == [["1", new_name, "0"], ["2", old_name, "8"]]
    assert "8 blobs need another key" in looked.stderr

    done = cli.run("rekey", "--actor", "Ann")
    assert blobs(done.stdout) == [["1", new_name, "8"], ["2", old_name, "0"]]
    assert "8 blobs re-encrypted" in done.stderr
    assert "drop them" in done.stderr
    assert cli.key not in done.output
    set_keys(monkeypatch, NEW)
    assert "Nothing needs another key" in cli.run("rekey", "--check").stderr
    cli.run("verify", "survey-2026-11")
    assert cli.run("report", "survey-2026-11").stdout == before, "its digests are the same"
    trail = cli.run("audit").stdout
    assert '"action": "rekey"' in trail
    assert f'"key": "{new_name}"' in trail
    assert f'"replaces": "{old_name}"' in trail


@pytest.mark.usefixtures("serial")
def test_a_key_dropped_before_the_rotation_is_reported_by_every_command(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, NEW, cli.key)
    cli.run("limits", "set", "email", "5/s")
    set_keys(monkeypatch, cli.key)
    output = cli.run("status", code=2).stderr
    assert f"encrypted with the key {Vault([NEW]).fingerprints[0]} (fingerprint)" in output
    assert "not in CLAIMCAST_SECRET_KEYS" in cli.run("doctor", code=2).stdout


@pytest.mark.usefixtures("serial")
def test_nothing_is_changed_while_a_process_lacks_the_new_key(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(cli, cli.key):
        set_keys(monkeypatch, NEW, cli.key)
        refused = cli.run("rekey", code=2).stderr
        assert "does not have the new key" in refused
        assert "Nothing was changed." in refused
        assert "8 blobs need" in cli.run("rekey", "--check", code=1).stderr
    assert "rekey" not in cli.run("audit").stdout


@pytest.mark.usefixtures("serial")
def test_a_process_that_still_seals_with_the_old_key_keeps_it_needed(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, NEW, cli.key)
    with process(cli, cli.key, NEW):
        left = cli.run("rekey", code=1)
        assert "8 blobs re-encrypted" in left.stderr
        assert "still runs that seals with another key" in left.stderr
        assert "that seals with the key" in cli.run("rekey", "--check", code=1).stderr
    assert "`claimcast rekey` lets them" in cli.run("rekey", "--check", code=1).stderr
    assert "drop them" in cli.run("rekey").stderr
    set_keys(monkeypatch, NEW)
    cli.run("verify", "survey-2026-11")


def test_a_blob_that_no_key_opens_is_reported(
    cli: CommandLine, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replace(ledger: Installation) -> None:
        foreign = Vault([NEW]).seal(b"x", "p")
        await ledger.redis.set(f"cc:{serial}:r:1", foreign)

    cli.prepare(replace)
    for words in (["rekey"], ["rekey", "--check"]):
        output = cli.run(*words, code=1)
        assert "1 blob cannot be opened with any of the keys" in output.stderr
        assert blobs(output.stdout)[-1] == ["none", "1"]


def test_a_redis_that_lost_its_digest_key_is_refused(cli: CommandLine, serial: str) -> None:
    async def lose(ledger: Installation) -> None:
        await ledger.redis.delete("cc:keys")

    cli.prepare(lose)
    assert "put the data back from a backup" in cli.run("status", code=2).stderr


@pytest.fixture
def embedded(tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the generated key of an installation on an embedded server."""
    monkeypatch.delenv("CLAIMCAST_REDIS__URL")
    monkeypatch.delenv("CLAIMCAST_SECRET_KEYS")
    cli.run("suppress", "add", "--email", "a@example.com")
    return tmp_path / "state" / "secret.keys"


def test_a_lost_key_file_is_reported_and_not_replaced(cli: CommandLine, embedded: Path) -> None:
    kept = embedded.read_text()
    embedded.unlink()
    output = cli.run("status", code=2).stderr
    assert "secret.keys is gone" in output
    assert not embedded.exists()
    embedded.write_text(kept)
    embedded.chmod(0o640)
    assert "chmod 600" in cli.run("status", code=2).stderr
    embedded.chmod(0o600)
    cli.run("status")


def test_configured_keys_that_leave_out_the_generated_one_are_reported_where_it_is(
    cli: CommandLine, embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, NEW)
    output = cli.run("status", code=2).stderr
    assert "secret.keys, made at the first start, is not among them." in output
    set_keys(monkeypatch, NEW, embedded.read_text().strip())
    assert "suppressed: operator" in cli.run("suppress", "list", "--check", "a@example.com").stdout


def test_looking_with_a_new_key_in_front_commits_nobody_to_it(
    cli: CommandLine, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, NEW, cli.key)
    cli.run("rekey", "--check", code=1)
    cli.run("verify", "survey-2026-11")
    cli.run("status")
    set_keys(monkeypatch, cli.key)
    cli.run("status")
    cli.run("rekey", "--check")


def test_a_new_key_that_was_lost_before_it_was_used_can_be_forgotten(
    cli: CommandLine, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, NEW, cli.key)
    cli.run("limits", "set", "email", "5/s")  # what changes something is noted with its keys
    set_keys(monkeypatch, cli.key)
    assert "may still be encrypted" in cli.run("status", code=2).stderr
    cli.run("rekey")
    cli.run("status")
