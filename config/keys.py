"""The keys that seal everything at rest: configured, or generated for the embedded server."""

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.errors import ConfigError
from config.fields import are_fernet_keys, split_list
from config.settings import Settings

_FILE = "secret.keys"


def secret_keys(settings: Settings, *, in_use: bool = False) -> tuple[SecretStr, ...]:
    """
    Return the Fernet keys; the first encrypts, all decrypt.

    Without configured keys and without an outside server, one is made in the state directory
    once, unless the embedded server's data was sealed before (*in_use*): then it was lost.
    Processes that start at the same time get the same one. Raises ConfigError with a sentence
    that says what to do.
    """
    if settings.secret_keys is not None:
        return _split(settings.secret_keys.get_secret_value())
    if settings.redis.url is not None:
        msg = (
            "CLAIMCAST_SECRET_KEYS is not set, and every process that shares the server of"
            " CLAIMCAST_REDIS__URL needs the same key: make one with python -c 'from"
            " cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            " and keep a copy of it, as nothing stored can be read without it"
        )
        raise ConfigError(msg)
    path = settings.state_dir / _FILE
    try:
        if not path.exists():
            if in_use:
                raise _lost(path)
            _generate(path)
        return _read(path)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be used ({type(error).__name__}): make it readable for this user"
        raise ConfigError(msg) from error


def key_file_hint(settings: Settings) -> str:
    """Return a sentence if keys are configured and the state directory holds others, else ''."""
    path = settings.state_dir / _FILE
    if settings.secret_keys is None or settings.redis.url is not None:
        return ""
    try:
        kept = {key.get_secret_value() for key in _read(path)}
    except (OSError, UnicodeDecodeError, ConfigError):
        return ""
    configured = {key.get_secret_value() for key in secret_keys(settings)}
    if kept <= configured:
        return ""
    return f"The key in {path}, made at the first start, is not among them."


def _lost(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} is gone, and nothing in {path.parent} can be read without the key in it: put back"
        " the copy from a backup, set CLAIMCAST_SECRET_KEYS to that key, or move"
        f" {path.parent} away to start with nothing"
    )


def _split(text: str) -> tuple[SecretStr, ...]:
    return tuple(SecretStr(key) for key in split_list(text))


def _read(path: Path) -> tuple[SecretStr, ...]:
    if path.stat().st_mode & 0o077:
        msg = f"{path} can be read by other users: chmod 600 {path}"
        raise ConfigError(msg)
    text = path.read_text("utf-8").strip()
    if not are_fernet_keys(text):
        msg = (
            f"{path} holds no Fernet key: put back the copy from a backup, or move"
            f" {path.parent} away to start with nothing"
        )
        raise ConfigError(msg)
    return _split(text)


def _generate(path: Path) -> None:
    """Put a new key at *path* in one step, unless another process was quicker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces the key that another process already uses.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
