"""The digest key is made once, and nobody writes with the wrong keys."""

import asyncio

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from pipeline.errors import InputError
from pipeline.store.keyring import unlock
from pipeline.vault import Vault


def a_key() -> str:
    return Fernet.generate_key().decode()


async def test_everybody_gets_the_same_digest_key(redis: Redis) -> None:
    key = a_key()
    vaults = await asyncio.gather(*(unlock(redis, Vault([key])) for _ in range(5)))
    assert len({vault.digest("link", b"x") for vault in vaults}) == 1
    assert vaults[0].digest("link", b"x") != Vault([key]).digest("link", b"x")


async def test_a_rotated_key_still_opens_and_another_is_refused_in_one_sentence(
    redis: Redis,
) -> None:
    old = a_key()
    first = await unlock(redis, Vault([old]))
    rotated = await unlock(redis, Vault([a_key(), old]))
    assert rotated.digest("link", b"x") == first.digest("link", b"x")
    with pytest.raises(InputError, match="CLAIMCAST_SECRET_KEYS"):
        await unlock(redis, Vault([a_key()]))
