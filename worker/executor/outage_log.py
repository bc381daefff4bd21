"""Trouble with Redis, told once per cause and not once per try."""

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

_NO_MEMORY = "Redis has no memory left and refuses to write: raise its maxmemory"
_NOT_WRITABLE = (
    "Redis cannot write its append-only file and refuses to write: see its log and disk"
)


class Outage:
    """What keeps one task from its work."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def news(self, error: RedisError | OSError) -> dict[str, str]:
        """Return what to log of *error*; nothing if that was returned since it last was right."""
        name = type(error).__name__
        if name in self._told:
            return {}
        self._told.add(name)
        return {"error": name, **_words(error)}

    def over(self) -> None:
        """Take note that it works again."""
        self._told.clear()


def _words(error: RedisError | OSError) -> dict[str, str]:
    """Return what people can do about a server that is there, and refuses to write."""
    if isinstance(error, OutOfMemoryError):
        return {"why": _NO_MEMORY}
    if isinstance(error, ResponseError) and str(error).startswith("MISCONF"):
        return {"why": _NOT_WRITABLE}
    return {}
