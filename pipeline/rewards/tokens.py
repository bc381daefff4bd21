"""One bearer token for the whole fleet, encrypted in Redis, fetched by one worker at a time."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources

from pipeline.domain.errors import RewardsError, RewardsUnavailableError
from pipeline.domain.tasks import stop
from pipeline.domain.vault import SealError, Vault
from pipeline.rewards.models import Token
from pipeline.store.client import Client
from pipeline.store.keys import TOKEN_PURPOSE, token_key, token_lock_key, token_refusals_key
from pipeline.store.outages import STORE_ERRORS

_LUA = resources.files("pipeline.rewards") / "lua"
_REFRESH_AT = 0.8
_STEP_S = 0.1
# After a failure nobody asks again for so long, else a fleet would storm an API that is down.
_PAUSE_S = 1.0
_EARLY_S = 5.0
# Far longer than any wait between two tries: refusals further apart are not "in a row".
_IN_A_ROW_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A token in the cache; times are seconds of the Redis server's clock."""

    value: str = field(repr=False)
    fresh_until: float
    usable_until: float


class FleetToken:
    """
    The token of one account, shared by every worker on one Redis.

    *account* is its digest, *fetch* creates a token at the API. The lock of a killed worker ends
    after *lock_seconds*; without any token, `get` waits at most *wait_seconds* for another worker
    to fetch one.
    """

    def __init__(
        self,
        redis: Client,
        vault: Vault,
        account: str,
        fetch: Callable[[], Awaitable[Token]],
        *,
        lock_seconds: float = 5.0,
        wait_seconds: float = 15.0,
    ) -> None:
        self._redis = redis
        self._vault = vault
        self._fetch = fetch
        self._token = token_key(account)
        self._lock = token_lock_key(account)
        self._refusals = token_refusals_key(account)
        self._accepted = ""
        self._lock_s = lock_seconds
        self._wait_s = wait_seconds
        self._keep = redis.register_script(_source("keep_token"))
        self._refuse = redis.register_script(_source("refuse_token"))
        self._delete_if = redis.register_script(_source("delete_if"))
        self._expire_if = redis.register_script(_source("expire_if"))
        self._replace_if = redis.register_script(_source("replace_if"))

    async def get(self) -> str:
        """
        Return a token that should be valid, fetching one if this worker is the one to do it.

        From 80 % of its life on, one worker renews it while the others go on with the old one.
        Raises what *fetch* raises, RewardsUnavailableError if another worker's fetching takes too
        long, and redis's own errors.
        """
        held, now = await self._read()
        if held is None or now >= held.usable_until:
            return await self._awaited()
        if now >= held.fresh_until:
            return await self._renewed_early() or held.value
        return held.value

    async def discard(self, value: str) -> int:
        """
        Forget the token if it still is *value*, which was refused; may be called twice.

        Return how many tokens of this account were refused in a row: since anybody's call got
        another answer than that. One that somebody else discarded before does not count again.
        """
        blob = await self._redis.get(self._token)
        held = self._opened(blob)
        current = held is not None and secrets.compare_digest(held.value, value)
        keys = [self._token, self._refusals]
        seen = blob if current and blob is not None else b""
        return int(await self._refuse(keys=keys, args=(seen, _ms(_IN_A_ROW_S))))

    async def accept(self, value: str) -> None:
        """
        Note that the API did not refuse *value*, which ends the row of those; may be called twice.

        Only the first call for a token asks Redis. That it cannot be reached is no error: the
        answer to the request matters more, and the next one notes the same.
        """
        if value != self._accepted:
            with suppress(*STORE_ERRORS):
                await self._redis.delete(self._refusals)
                self._accepted = value

    async def _awaited(self) -> str:
        for _ in range(max(1, round(self._wait_s / _STEP_S))):
            if (value := await self._lead(pause_s=_PAUSE_S)) is not None:
                return value
            await asyncio.sleep(_STEP_S)
            held, now = await self._read()
            if held is not None and now < held.usable_until:
                return held.value
        code, detail = "token_wait", "another worker is still fetching the access token"
        raise RewardsUnavailableError(code, detail, sent=False)

    async def _renewed_early(self) -> str | None:
        """Return a new token, or None if that is another worker's task or did not succeed."""
        with suppress(RewardsError, TimeoutError):
            async with asyncio.timeout(_EARLY_S):
                return await self._lead(pause_s=_EARLY_S)
        return None

    async def _lead(self, *, pause_s: float) -> str | None:
        """
        Fetch a token as the only worker to do so; return None if another one is at it.

        The lock is renewed while this worker lives, so that a slow API is still asked once. After
        a failure it stays for *pause_s* seconds.
        """
        nonce = secrets.token_hex(16)
        if not await self._redis.set(self._lock, nonce, nx=True, px=_ms(self._lock_s)):
            return None
        keeper = asyncio.create_task(self._hold_lock(nonce))
        try:
            value = await self._fetched(nonce)
        except BaseException:
            await stop(keeper)
            with suppress(*STORE_ERRORS):
                # In a task of its own: before Python 3.11.3 redis-py cannot be used in one that
                # is being cancelled.
                await asyncio.shield(self._rest(nonce, pause_s))
            raise
        await stop(keeper)
        return value

    async def _rest(self, nonce: str, seconds: float) -> None:
        """Let nobody ask for a while, under another nonce: a renewal may still be on its way."""
        # At once: whoever waits for the lock would else get in between and ask the API again.
        other = secrets.token_hex(16)
        await self._replace_if(keys=[self._lock], args=[nonce, other, _ms(seconds)])

    async def _fetched(self, nonce: str) -> str:
        held, now = await self._read()
        if held is not None and now < held.fresh_until:
            # Somebody kept it between our look and our lock.
            await self._delete_if(keys=[self._lock], args=[nonce])
            return held.value
        token = await self._fetch()
        # The life is counted from before the request: at worst the token is renewed too early.
        kept = {
            "value": token.value,
            "fresh_until": now + _REFRESH_AT * token.expires_in,
            "usable_until": now + token.expires_in - min(5.0, 0.1 * token.expires_in),
        }
        blob = self._vault.seal(json.dumps(kept).encode(), TOKEN_PURPOSE)
        await self._keep(keys=[self._lock, self._token], args=[nonce, blob, _ms(token.expires_in)])
        return token.value

    async def _hold_lock(self, nonce: str) -> None:
        with suppress(*STORE_ERRORS):
            while await self._expire_if(keys=[self._lock], args=[nonce, _ms(self._lock_s)]):  # noqa: ASYNC110 - what ends it is in Redis
                await asyncio.sleep(self._lock_s / 3)

    async def _read(self) -> tuple[_Held | None, float]:
        """Return what the cache holds, and the time of the Redis server."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(self._token)
            pipe.time()
            blob, (seconds, microseconds) = await pipe.execute()
        return self._opened(blob), int(seconds) + int(microseconds) / 1e6

    def _opened(self, blob: bytes | None) -> _Held | None:
        if blob is None:
            return None
        # One that cannot be read is as good as none: the next one replaces it.
        with suppress(SealError, ValueError, TypeError):
            return _Held(**json.loads(self._vault.open(blob, TOKEN_PURPOSE)))
        return None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _source(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text("utf-8")
