"""One bearer token for the whole fleet, fetched by one worker at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from pipeline.domain.errors import RewardsError, RewardsUnavailableError
from pipeline.domain.tasks import stop
from pipeline.rewards.models import Token
from pipeline.store.fleet.token_cache import CachedToken, TokenCache
from pipeline.store.outages import STORE_ERRORS

_REFRESH_AT = 0.8
_STEP_S = 0.1
# After a failure no worker asks again for so long: a fleet must not storm an API that is down.
_PAUSE_S = 1.0
_EARLY_S = 5.0
# Far longer than any wait between two tries: refusals further apart are not "in a row".
_IN_A_ROW_S = 3600.0


class FleetToken:
    """
    The token of one account, shared by every worker on one Redis.

    *cache* is where it is stored, *fetch* creates a token at the API. The lock of a killed worker
    ends after *lock_seconds*; without any token, `get` waits at most *wait_seconds* for another
    worker to fetch one.
    """

    def __init__(
        self,
        cache: TokenCache,
        fetch: Callable[[], Awaitable[Token]],
        *,
        lock_seconds: float = 5.0,
        wait_seconds: float = 15.0,
    ) -> None:
        self._cache = cache
        self._fetch = fetch
        self._accepted = ""
        self._lock_s = lock_seconds
        self._wait_s = wait_seconds

    async def get(self) -> str:
        """
        Return a token that should be valid; one worker of the fleet fetches it.

        From 80 % of its life on, one worker renews it while the others go on with the old one.
        Raises what *fetch* raises, RewardsUnavailableError if another worker's fetching takes too
        long, and STORE_ERRORS.
        """
        cached, now = await self._cache.read()
        if cached is None or now >= cached.usable_until:
            return await self._wait_for_token()
        if now >= cached.fresh_until:
            return await self._renew_early() or cached.value
        return cached.value

    async def discard(self, value: str) -> int:
        """
        Discard the token if it still is *value*, which was refused; may be called twice.

        Return how many tokens of this account were refused in a row: since anybody's call got
        another answer than that. One that another worker discarded before does not count again.
        """
        return await self._cache.refuse(value, _IN_A_ROW_S)

    async def accept(self, value: str) -> None:
        """
        Note that the API did not refuse *value*, which ends the row; may be called twice.

        Only the first call for a token asks Redis. That it cannot be reached is no error: the
        answer to the request matters more, and the next one notes the same.
        """
        if value != self._accepted:
            with suppress(*STORE_ERRORS):
                await self._cache.accept()
                self._accepted = value

    async def _wait_for_token(self) -> str:
        for _ in range(max(1, round(self._wait_s / _STEP_S))):
            if (value := await self._fetch_under_lock(pause_s=_PAUSE_S)) is not None:
                return value
            await asyncio.sleep(_STEP_S)
            cached, now = await self._cache.read()
            if cached is not None and now < cached.usable_until:
                return cached.value
        code, detail = "token_wait", "another worker is still fetching the access token"
        raise RewardsUnavailableError(code, detail, sent=False)

    async def _renew_early(self) -> str | None:
        """Return a new token; None if another worker fetches it, or this one failed."""
        with suppress(RewardsError, TimeoutError):
            async with asyncio.timeout(_EARLY_S):
                return await self._fetch_under_lock(pause_s=_EARLY_S)
        return None

    async def _fetch_under_lock(self, *, pause_s: float) -> str | None:
        """
        Fetch a token as the only worker; return None if another one has the lock.

        The lock is renewed while this worker lives, so that a slow API is still asked once. After
        a failure it stays for *pause_s* seconds.
        """
        nonce = await self._cache.lock(self._lock_s)
        if nonce is None:
            return None
        keeper = asyncio.create_task(self._keep_lock(nonce))
        try:
            value = await self._fetch_and_store(nonce)
        except BaseException:
            await stop(keeper)
            with suppress(*STORE_ERRORS):
                # In a task of its own: before Python 3.11.3 redis-py cannot be used in one that
                # is being cancelled.
                await asyncio.shield(self._cache.back_off(nonce, pause_s))
            raise
        await stop(keeper)
        return value

    async def _fetch_and_store(self, nonce: str) -> str:
        cached, now = await self._cache.read()
        if cached is not None and now < cached.fresh_until:
            # Another worker stored it between our read and our lock.
            await self._cache.release(nonce)
            return cached.value
        token = await self._fetch()
        # The life is counted from before the request: at worst the token is renewed too early.
        kept = CachedToken(
            value=token.value,
            fresh_until=now + _REFRESH_AT * token.expires_in,
            usable_until=now + token.expires_in - min(5.0, 0.1 * token.expires_in),
        )
        await self._cache.store(nonce, kept, token.expires_in)
        return token.value

    async def _keep_lock(self, nonce: str) -> None:
        with suppress(*STORE_ERRORS):
            while await self._cache.renew(nonce, self._lock_s):  # noqa: ASYNC110 - what ends it is in Redis
                await asyncio.sleep(self._lock_s / 3)
