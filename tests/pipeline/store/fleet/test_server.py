"""The server says what it is and what time it has, and that it is away."""

import re

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.store.fleet.server import Server
from tests.support.redis import Redis


async def test_it_says_its_version_and_its_time(redis: Redis) -> None:
    server = Server(redis)
    await server.ping()
    assert re.fullmatch(r"\d+\.\d+\.\d+", await server.version())
    before, now_ms, after = await redis.time(), await server.now_ms(), await redis.time()
    assert milliseconds(before) <= now_ms <= milliseconds(after)


async def test_a_server_that_is_away_answers_no_ping() -> None:
    async with Redis.from_url("unix:///nowhere.sock") as nobody:
        with pytest.raises(RedisConnectionError):
            await Server(nobody).ping()


def milliseconds(time: tuple[int, int]) -> int:
    return time[0] * 1000 + time[1] // 1000
