"""The Redis server itself: whether it answers, what it is, and what time it has."""

from pipeline.store.client import Client
from pipeline.store.scripts import server_ms


class Server:
    """Asks the server about itself; reads only."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def ping(self) -> None:
        """Return once the server has answered; raises one of STORE_ERRORS."""
        await self._redis.ping()

    async def now_ms(self) -> int:
        """Return the server's time, in ms since the epoch."""
        return server_ms(await self._redis.time())

    async def version(self) -> str:
        """Return the version of Valkey, or of Redis where it is one."""
        info = await self._redis.info("server")
        return str(info.get("valkey_version") or info.get("redis_version"))
