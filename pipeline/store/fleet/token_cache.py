"""The sealed token of a rewards account, and the lock of the worker that fetches the next one."""

import json
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from pipeline.domain.vault import SealError, Vault
from pipeline.store.client import Client
from pipeline.store.keys import TOKEN_PURPOSE, token_key, token_lock_key, token_refusals_key
from pipeline.store.scripts import Scripts, server_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedToken:
    """A token in the cache; times are seconds of the Redis server's clock."""

    value: str = field(repr=False)
    fresh_until: float
    usable_until: float


class TokenCache:
    """
    The token of one account, its lock, and how many tokens were refused in a row.

    *account* is its digest. All spans are in seconds. A lock is known by its nonce: a call with
    the nonce of a lock that has ended, or that another worker has, changes nothing.
    """

    def __init__(self, redis: Client, scripts: Scripts, vault: Vault, account: str) -> None:
        self._redis = redis
        self._call = scripts.call
        self._vault = vault
        self._account = account

    async def read(self) -> tuple[CachedToken | None, float]:
        """Return what the cache holds, and the time of the Redis server."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(token_key(self._account))
            pipe.time()
            blob, time = await pipe.execute()
        return self._opened(blob), server_seconds(time)

    async def lock(self, seconds: float) -> str | None:
        """Acquire the lock for *seconds*; return its nonce, or None if another worker has it."""
        nonce, key = secrets.token_hex(16), token_lock_key(self._account)
        taken = await self._redis.set(key, nonce, nx=True, px=_ms(seconds))
        return nonce if taken else None

    async def renew(self, nonce: str, seconds: float) -> bool:
        """Let the lock end in *seconds*; return whether this worker still has it."""
        return bool(await self._call("token_renew", self._account, nonce, _ms(seconds)))

    async def release(self, nonce: str) -> None:
        """Give the lock back without a token."""
        await self._call("token_release", self._account, nonce)

    async def back_off(self, nonce: str, seconds: float) -> None:
        """Let nobody acquire the lock for *seconds*: it stays, under a nonce that nobody knows."""
        # In one step: otherwise a worker that waits for the lock would ask the API again.
        # Another nonce: a renewal may still be on its way.
        other = secrets.token_hex(16)
        await self._call("token_backoff", self._account, nonce, other, _ms(seconds))

    async def store(self, nonce: str, token: CachedToken, seconds: float) -> None:
        """Store *token* for *seconds* and give the lock back, in one step."""
        blob = self._vault.seal(json.dumps(asdict(token)).encode(), TOKEN_PURPOSE)
        await self._call("token_store", self._account, nonce, blob, _ms(seconds))

    async def refuse(self, value: str, counted_for: float) -> int:
        """
        Discard the token if it still is *value*, and count it; may be called twice.

        Returns the count, which ends *counted_for* seconds after the last one.
        """
        blob = await self._redis.get(token_key(self._account))
        held = self._opened(blob)
        current = held is not None and secrets.compare_digest(held.value, value)
        seen = blob if current and blob is not None else b""
        return int(await self._call("token_refuse", self._account, seen, _ms(counted_for)))

    async def accept(self) -> None:
        """Reset the count of tokens refused in a row; may be called twice."""
        await self._redis.delete(token_refusals_key(self._account))

    def _opened(self, blob: bytes | None) -> CachedToken | None:
        if blob is None:
            return None
        # An unreadable token counts as none: the next one replaces it.
        with suppress(SealError, ValueError, TypeError):
            return CachedToken(**json.loads(self._vault.open(blob, TOKEN_PURPOSE)))
        return None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
