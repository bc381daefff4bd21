"""The digest key is made once, and nobody writes with the wrong keys, or without one of them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from cryptography.fernet import Fernet

from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName
from pipeline.domain.tasks import stop
from pipeline.domain.vault import Vault
from pipeline.store.fleet.keyring import Keyring, unlock
from pipeline.store.suppressions import Suppressions
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from tests.support.waiting import wait_until


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


async def _campaign(redis: Redis, vault: Vault) -> None:
    await (await Installation.opened(redis, KEY)).submitted()


async def _suppressed(redis: Redis, vault: Vault) -> None:
    await Suppressions(redis, vault).add(ChannelName.EMAIL, "a@example.com", "operator")


async def _audited(redis: Redis, vault: Vault) -> None:
    await redis.rpush("cc:audit", "{}")


KEY = a_key()


@pytest.mark.parametrize("filled", [_campaign, _suppressed, _audited])
async def test_a_missing_digest_key_is_never_made_anew(
    redis: Redis, filled: Callable[[Redis, Vault], Awaitable[None]]
) -> None:
    await filled(redis, await unlock(redis, Vault([KEY])))
    await redis.delete("cc:keys")
    with pytest.raises(InputError, match="from a backup"):
        await unlock(redis, Vault([KEY]))
    assert not await redis.exists("cc:keys")


async def test_data_of_others_does_not_keep_us_from_starting(redis: Redis) -> None:
    await redis.set("other:campaign", "1")
    await unlock(redis, Vault([KEY]))


async def test_a_key_that_was_dropped_too_early_is_missed_at_the_start(redis: Redis) -> None:
    old, new = a_key(), a_key()
    await unlock(redis, Vault([old]))
    await unlock(redis, rotated := Vault([new, old]))
    # As a rotation leaves it that was stopped right after it wrapped the digest key.
    blob = await redis.hget("cc:keys", "digest")
    await redis.hset("cc:keys", "digest", rotated.reseal(blob))
    before = await redis.hgetall("cc:keys")

    with pytest.raises(InputError, match="claimcast rekey") as caught:
        await unlock(redis, Vault([new]))
    assert Vault([old]).fingerprints[0] in str(caught.value)
    assert old not in str(caught.value)
    assert await redis.hgetall("cc:keys") == before


async def test_a_process_that_lacks_the_newest_key_does_not_start(redis: Redis) -> None:
    old, new = a_key(), a_key()
    await unlock(redis, Vault([old]))
    await unlock(redis, Vault([new, old]))
    with pytest.raises(InputError, match=Vault([new]).fingerprints[0]):
        await unlock(redis, Vault([old]))
    await unlock(redis, Vault([old, new]))


async def test_a_process_that_seals_with_another_key_is_seen_as_long_as_it_lives(
    redis: Redis,
) -> None:
    old, new = a_key(), a_key()
    worker = Keyring(redis, Vault([old]))
    await worker.unlock()
    ours = Keyring(redis, Vault([new, old]))
    await ours.unlock()
    beating = asyncio.create_task(worker.keep_enrolled(seconds=0.01))
    [seen] = await ours.living()
    assert seen.fingerprints == Vault([old]).fingerprints
    assert await ours.retire(silent_seconds=60) == 0, "it lives"

    await stop(beating)
    assert await ours.living(silent_seconds=0.2) == []
    assert await ours.retire(silent_seconds=0.2) == 1
    assert await Keyring(redis, Vault([new])).missing() == []


async def test_a_beat_goes_on_after_an_outage(redis: Redis) -> None:
    keyring = Keyring(redis, Vault([KEY]))
    await keyring.unlock()
    beating = asyncio.create_task(keyring.keep_enrolled(seconds=0.01))
    await redis.set("cc:keys", "what no script can write to")
    await redis.delete("cc:keys")
    await wait_until(lambda: redis.exists("cc:keys"))
    await stop(beating)
