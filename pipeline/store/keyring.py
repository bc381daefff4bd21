"""The digest key: random, made once, stored wrapped by the operator's secret keys."""

import secrets

from redis.asyncio import Redis

from pipeline.errors import InputError
from pipeline.vault import SealError, Vault

_KEY = "cc:keys"


async def unlock(redis: "Redis", vault: Vault) -> Vault:
    """
    Return the vault with the digest key of this installation, making the key on first use.

    Raises InputError with one sentence if the secret keys are not the ones that the data in Redis
    was sealed with: nothing may be written that nobody could read. May be called by many at once.
    """
    fresh = vault.seal(secrets.token_bytes(32), "digest key")
    await redis.hsetnx(_KEY, "digest", fresh)  # type: ignore[arg-type, misc]  # bytes are fine
    stored = await redis.hget(_KEY, "digest")  # type: ignore[misc]  # redis-py's type is sync or async
    try:
        return vault.with_digest_key(vault.open(stored or b"", "digest key"))
    except SealError as error:
        msg = (
            "The data in Redis was encrypted with other keys: set CLAIMCAST_SECRET_KEYS to those "
            "that this installation used before (the first encrypts, all decrypt)."
        )
        raise InputError(msg) from error
