"""The products of a rewards account, cached for a week: the API asks for that."""

from pipeline.store.client import Client
from pipeline.store.keys import products_key

_WEEK_S = 7 * 24 * 3600


class ProductCache:
    """The list as one document; it is public, so it is stored in clear."""

    def __init__(self, redis: Client, account: str) -> None:
        self._redis = redis
        self._key = products_key(account)

    async def read(self) -> bytes | None:
        return await self._redis.get(self._key)

    async def write(self, document: bytes) -> None:
        await self._redis.set(self._key, document, ex=_WEEK_S)
