"""A bearer token for one process, kept in memory."""

from collections.abc import Awaitable, Callable

from pipeline.rewards.models import Token


class MemoryToken:
    """The TokenSource of a process without Redis; *fetch* creates the token at the API."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]]) -> None:
        self._fetch = fetch
        self._value: str | None = None
        self._refused = 0

    async def get(self) -> str:
        """Return the token; raises what *fetch* raises."""
        if self._value is None:
            self._value = (await self._fetch()).value
        return self._value

    async def discard(self, value: str) -> int:
        """Discard *value*, which was refused; return how many were refused in a row."""
        if self._value == value:
            self._value = None
            self._refused += 1
        return self._refused

    async def accept(self, _value: str) -> None:
        """Note that a token was not refused: the count of refusals in a row ends."""
        self._refused = 0
