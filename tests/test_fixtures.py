"""The fixtures promise things that other tests rely on."""

import asyncio
import os

import pytest

from tests.support.redis import Redis
from tests.support.waiting import wait_until, wait_until_sync


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_gets_an_empty_database(redis: Redis, turn: int) -> None:
    assert await redis.dbsize() == 0
    await redis.set("left", turn)
    assert await redis.get("left") == str(turn).encode()


async def test_the_server_keeps_what_it_acknowledged(redis: Redis) -> None:
    found = await redis.config_get("append*")
    assert found["appendonly"] == "yes"
    assert found["appendfsync"] == "always"
    assert (await redis.config_get("maxmemory-policy")) == {"maxmemory-policy": "noeviction"}


def test_no_setting_comes_from_outside() -> None:
    assert not [name for name in os.environ if name.startswith("CLAIMCAST_")]


async def test_waiting_ends_with_the_condition() -> None:
    async def done() -> bool:
        await asyncio.sleep(0)
        return task.done()

    task = asyncio.create_task(asyncio.sleep(0.03))
    await wait_until(done)
    await wait_until(task.done)
    wait_until_sync(task.done)


async def test_waiting_in_vain_fails() -> None:
    with pytest.raises(AssertionError, match=r"not true within 0\.05 s"):
        await wait_until(lambda: False, timeout=0.05)
    with pytest.raises(AssertionError, match=r"not true within 0\.05 s"):
        wait_until_sync(lambda: False, timeout=0.05)
