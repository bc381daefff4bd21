"""Connections to Redis outlive whatever happens to a line."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.domain.errors import InputError
from tests.chaos.power import client, valkey
from tests.support.redis import Redis
from worker.executor.queue import connection
from worker.wiring.redis import check_server


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_line_that_was_reset_is_an_outage_whatever_the_loop_calls_it(
    valkey_url: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def ping_over_a_dead_line() -> bool:
        async with connection(valkey_url) as redis:
            pool = redis.connection_pool
            line = await pool.get_connection()
            line._writer.transport.abort()  # noqa: SLF001 - what a reset does, without a peer
            await asyncio.sleep(0)
            with pytest.raises(RedisConnectionError):
                await line.send_command("PING")
            await pool.release(line)
            return bool(await redis.ping())

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(ping_over_a_dead_line())


@pytest.mark.parametrize(
    ("option", "value"),
    [("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")],
)
async def test_a_server_that_can_lose_what_it_acknowledged_is_refused(
    redis: Redis, option: str, value: str
) -> None:
    assert await check_server(redis, accept_unsafe=False) == []
    safe = (await redis.config_get(option))[option]
    await redis.config_set(option, value)
    try:
        with pytest.raises(InputError, match=f"{option} is {value}"):
            await check_server(redis, accept_unsafe=False)
        [warning] = await check_server(redis, accept_unsafe=True)
        assert option in warning
    finally:
        await redis.config_set(option, safe)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--replicaof localhost 1", "it is a replica, which takes no writes"),
        ("--cluster-enabled yes", "it is a cluster, which arq cannot use"),
    ],
)
async def test_a_server_of_another_role_is_refused(tmp_path: Path, options: str, why: str) -> None:
    with valkey(tmp_path / "v", "always", *options.split()) as socket:
        async with client(socket) as redis:
            with pytest.raises(InputError, match=why):
                await check_server(redis, accept_unsafe=False)


async def test_an_old_server_is_refused(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.wiring.redis._OLDEST", 99)
    with pytest.raises(InputError, match="is older than 99"):
        await check_server(redis, accept_unsafe=False)
