"""redis-py's client with the types that its commands really have, for tests."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pipeline.store.client import Client

    class Redis(Client):
        """The commands of the store, typed; any other one returns something to await."""

        @classmethod
        def from_url(cls, url: str, **options: Any) -> Self: ...  # noqa: ANN401 - redis-py's
        async def __aenter__(self) -> Self: ...
        async def __aexit__(self, *error: object) -> None: ...
        def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]: ...
else:
    from redis.asyncio import Redis

__all__ = ["Redis"]
