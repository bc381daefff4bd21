"""redis-py's client with the types that its commands really have, for tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Self, cast

from pipeline.store.client import Client

if TYPE_CHECKING:
    from pipeline.store.client import Key, Pipeline, Value

    class TestPipeline(Pipeline):
        """What the store queues, typed; anything else may be queued, too."""

        def __getattr__(self, name: str) -> Callable[..., object]: ...

    class Redis(Client):
        """
        The commands of the store, typed; any other one returns something to await.

        A value that a test asks for is there: what is `bytes | None` to the store is not, here.
        """

        @classmethod
        def from_url(cls, url: str, **options: Any) -> Self: ...  # noqa: ANN401 - redis-py's
        async def __aenter__(self) -> Self: ...
        async def __aexit__(self, *error: object) -> None: ...
        def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]: ...
        def aclose(
            self,
            close_connection_pool: bool | None = None,  # noqa: FBT001 - redis-py's signature
        ) -> Coroutine[Any, Any, None]: ...
        def pipeline(self, transaction: bool = True) -> TestPipeline: ...  # noqa: FBT001, FBT002 - redis-py's
        def get(self, name: Key) -> Awaitable[Any]: ...
        def hget(self, name: Key, key: Key) -> Awaitable[Any]: ...
        def hexists(self, name: Key, key: Key) -> Awaitable[bool]: ...
        def zscore(self, name: Key, value: Value) -> Awaitable[float | None]: ...
        def zadd(self, name: Key, mapping: Mapping[Any, float]) -> Awaitable[int]: ...
        def info(self, section: str | None = None) -> Awaitable[dict[str, Any]]: ...
        def config_set(self, name: str, value: Value) -> Awaitable[bool]: ...
        def scan_iter(
            self, match: str | None = None, count: int | None = None, _type: str | None = None
        ) -> AsyncIterator[bytes]: ...
else:
    from redis.asyncio import Redis

__all__ = ["Redis", "raw"]


def raw(redis: Client) -> Redis:
    """Return a client of the store with all the commands that it has, for tests."""
    return cast("Redis", redis)
