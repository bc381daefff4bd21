"""The generated key: made once, private, never replaced."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.errors import ConfigError
from config.keys import key_file_hint, secret_keys
from config.settings import Settings, load_settings
from tests.support.root import ROOT

PROCESS = """
import hashlib, sys
from config.keys import key_file_hint, secret_keys
from config.settings import load_settings
sys.stdin.readline()
(key,) = secret_keys(load_settings(None))
print(hashlib.sha256(key.get_secret_value().encode()).hexdigest())
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CLAIMCAST_STATE_DIR", str(tmp_path / "state"))
    return load_settings(None)


def values(keys: tuple[SecretStr, ...]) -> list[str]:
    return [key.get_secret_value() for key in keys]


def test_a_key_is_made_once_and_kept_private(settings: Settings) -> None:
    first = values(secret_keys(settings))

    assert values(secret_keys(settings)) == first
    Fernet(first[0])
    path = settings.state_dir / "secret.keys"
    assert path.stat().st_mode & 0o777 == 0o600
    assert settings.state_dir.stat().st_mode & 0o777 == 0o700
    assert list(settings.state_dir.iterdir()) == [path]


def test_configured_keys_win(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    secret_keys(settings)
    ours = [Fernet.generate_key().decode() for _ in range(2)]
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", f" {ours[0]} ,{ours[1]}")
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", "redis://localhost")

    assert values(secret_keys(load_settings(None))) == ours


def test_an_outside_server_needs_configured_keys(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", "redis://localhost")

    with pytest.raises(ConfigError, match=r"CLAIMCAST_SECRET_KEYS is not set.*generate_key"):
        secret_keys(load_settings(None))
    assert not settings.state_dir.exists()


def test_a_damaged_key_is_never_replaced(settings: Settings) -> None:
    secret_keys(settings)
    path = settings.state_dir / "secret.keys"
    path.write_text("half a key")

    with pytest.raises(ConfigError, match="holds no Fernet key") as caught:
        secret_keys(settings)
    assert "half a key" not in str(caught.value)
    assert path.read_text() == "half a key"


def test_a_key_that_others_can_read_is_refused(settings: Settings) -> None:
    secret_keys(settings)
    (settings.state_dir / "secret.keys").chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        secret_keys(settings)


def test_a_key_that_was_lost_is_not_replaced_while_data_is_sealed_with_it(
    settings: Settings,
) -> None:
    with pytest.raises(ConfigError, match=r"secret\.keys is gone.*backup"):
        secret_keys(settings, in_use=True)
    assert not settings.state_dir.exists()

    made = values(secret_keys(settings))
    assert values(secret_keys(settings, in_use=True)) == made


def test_a_key_file_that_cannot_be_read_is_named(settings: Settings) -> None:
    (settings.state_dir / "secret.keys").mkdir(mode=0o700, parents=True)
    with pytest.raises(ConfigError, match=r"secret\.keys cannot be used"):
        secret_keys(settings, in_use=True)


def test_the_key_file_may_hold_a_list_for_a_rotation(settings: Settings) -> None:
    [old] = values(secret_keys(settings))
    new = Fernet.generate_key().decode()
    (settings.state_dir / "secret.keys").write_text(f"{new},{old}\n")
    assert values(secret_keys(settings)) == [new, old]


def test_configured_keys_without_the_generated_one_give_a_hint(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    [made] = values(secret_keys(settings))
    other = Fernet.generate_key().decode()
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", other)
    assert "secret.keys, made at the first start" in key_file_hint(load_settings(None))
    assert made not in key_file_hint(load_settings(None))

    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", f"{other},{made}")
    assert key_file_hint(load_settings(None)) == ""
    (settings.state_dir / "secret.keys").unlink()
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", other)
    assert key_file_hint(load_settings(None)) == ""


@pytest.mark.parametrize("wrong", ["x", "=", "gAAAAA", 43 * "A", 42 * "A" + "="])
def test_one_malformed_key_of_a_list_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    right = Fernet.generate_key().decode()
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", f"{right},{wrong},{right}")
    with pytest.raises(
        ConfigError, match="CLAIMCAST_SECRET_KEYS: must hold Fernet keys"
    ) as caught:
        load_settings(None)
    assert right not in str(caught.value)


def test_a_state_directory_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLAIMCAST_STATE_DIR", str(tmp_path / "file" / "state"))

    with pytest.raises(ConfigError, match=r"secret\.keys cannot be used"):
        secret_keys(load_settings(None))


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS],
            cwd=ROOT,
            env={**os.environ, "CLAIMCAST_STATE_DIR": str(tmp_path / "state")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()

    assert len({process.communicate()[0] for process in processes}) == 1
    assert [process.returncode for process in processes] == [0] * 4
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["secret.keys"]
