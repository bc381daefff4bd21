"""The errors of a call to the ledger when Redis fails, for callers that do not import redis."""

from typing import Literal

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

StoreError = RedisError | OSError
STORE_ERRORS = (RedisError, OSError)
"""
Whatever a call to the store may raise besides what its docstring names: Redis cannot be reached,
or refuses. Transient: the caller waits and calls again; nothing was decided.
"""
ServerError = RedisError
"""What of these is about Redis for certain: an OSError may be about a file as well."""

Refusal = Literal["memory", "disk"]


def refusal(error: StoreError) -> Refusal | None:
    """Return why a reachable server refuses writes; None for another error."""
    if isinstance(error, OutOfMemoryError):
        return "memory"
    if isinstance(error, ResponseError) and str(error).startswith("MISCONF"):
        return "disk"
    return None
