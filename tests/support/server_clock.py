"""The clock of the Redis server, which deadlines are kept by."""

from tests.support.redis import Redis


async def server_time(redis: Redis) -> float:
    """Return what time it is at the server, in seconds since the epoch."""
    seconds, micros = await redis.time()
    return float(seconds + micros / 1e6)
