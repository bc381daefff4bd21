"""The token of an account and its lock: what is stored, for how long, and who may change it."""

import json

import pytest
from cryptography.fernet import Fernet

from pipeline.domain.vault import Vault
from pipeline.store.fleet.token_cache import CachedToken, TokenCache
from pipeline.store.scripts import Scripts
from tests.support.redis import Redis
from tests.support.server_clock import server_time

TOKEN, LOCK, REFUSALS = (
    f"cc:rewards:acc:{name}" for name in ("token", "token-lock", "token-refusals")
)
FIRST = CachedToken(value="s3cret-1", fresh_until=1000.5, usable_until=2000.25)


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
def cache(redis: Redis, vault: Vault) -> TokenCache:
    return TokenCache(redis, Scripts(redis), vault, "acc")


async def kept(cache: TokenCache, token: CachedToken = FIRST) -> None:
    nonce = await cache.lock(60)
    assert nonce is not None
    await cache.store(nonce, token, 60)


async def lives(redis: Redis, key: str, seconds: float, *, since: float) -> bool:
    """Return whether *key* was given so many *seconds* at some moment *since* then."""
    left = await redis.pttl(key) / 1000
    took = await server_time(redis) - since
    return bool(seconds - took - 0.01 <= left <= seconds)


async def test_a_stored_token_is_read_with_the_time_of_the_server(
    cache: TokenCache, redis: Redis
) -> None:
    before = await server_time(redis)
    assert (await cache.read())[0] is None
    await kept(cache)
    held, now = await cache.read()
    assert held == FIRST
    assert before <= now <= await server_time(redis)


async def test_a_token_is_sealed_as_it_always_was(
    cache: TokenCache, redis: Redis, vault: Vault
) -> None:
    began = await server_time(redis)
    await kept(cache)
    blob = await redis.get(TOKEN)
    assert (
        vault.open(blob, "rewards token")
        == json.dumps(
            {"value": "s3cret-1", "fresh_until": 1000.5, "usable_until": 2000.25}
        ).encode()
    )
    assert await lives(redis, TOKEN, 60, since=began)
    assert await redis.exists(LOCK) == 0


async def test_a_token_is_not_shown_by_accident() -> None:
    assert "s3cret" not in repr(FIRST)


async def test_a_lock_is_had_by_one_and_ends(cache: TokenCache, redis: Redis) -> None:
    began = await server_time(redis)
    nonce = await cache.lock(300)
    assert nonce is not None
    assert await cache.lock(300) is None
    assert (await redis.get(LOCK)).decode() == nonce
    assert await lives(redis, LOCK, 300, since=began)
    began = await server_time(redis)
    assert await cache.renew(nonce, 600)
    assert await lives(redis, LOCK, 600, since=began)
    await cache.release(nonce)
    assert not await cache.renew(nonce, 600)
    assert await cache.lock(300) not in (None, nonce)


async def test_a_worker_that_lost_the_lock_changes_nothing(
    cache: TokenCache, redis: Redis
) -> None:
    nonce = await cache.lock(600)
    assert nonce is not None
    await redis.set(LOCK, "of another")
    assert not await cache.renew(nonce, 600)
    await cache.release(nonce)
    await cache.back_off(nonce, 600)
    await cache.store(nonce, FIRST, 600)
    assert await redis.get(LOCK) == b"of another"
    assert await redis.pttl(LOCK) == -1
    assert await redis.get(TOKEN) is None


async def test_a_backed_off_lock_belongs_to_nobody(cache: TokenCache, redis: Redis) -> None:
    nonce = await cache.lock(600)
    assert nonce is not None
    began = await server_time(redis)
    await cache.back_off(nonce, 100)
    assert await cache.lock(600) is None
    assert not await cache.renew(nonce, 600), "a renewal that was on its way"
    assert await lives(redis, LOCK, 100, since=began)


async def test_a_refused_token_is_counted_once(cache: TokenCache, redis: Redis) -> None:
    await kept(cache)
    assert await cache.refuse("another", 600) == 0
    assert (await cache.read())[0] == FIRST
    began = await server_time(redis)
    assert await cache.refuse("s3cret-1", 600) == 1
    assert await lives(redis, REFUSALS, 600, since=began)
    assert (await cache.read())[0] is None
    assert await cache.refuse("s3cret-1", 600) == 1
    await kept(cache)
    assert await cache.refuse("s3cret-1", 600) == 2
    assert await redis.get(REFUSALS) == b"2"
    await cache.accept()
    await cache.accept()
    assert await cache.refuse("s3cret-1", 600) == 0


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
async def test_a_token_that_cannot_be_opened_counts_as_none(
    cache: TokenCache, redis: Redis, vault: Vault, damage: bytes | None
) -> None:
    await redis.set(TOKEN, vault.seal(b"[1]", "rewards token") if damage is None else damage)
    assert (await cache.read())[0] is None
    await cache.refuse("s3cret-1", 600)
    await kept(cache)
    assert (await cache.read())[0] == FIRST
