"""Connections to Redis outlive whatever happens to a line."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.connection import connection


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
