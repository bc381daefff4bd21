"""The Lua verbs, registered once and run by their names, and replies of the server as values."""

from functools import partial
from typing import Any

from pipeline.store.client import Client, Script
from pipeline.store.durability import EverySecond
from pipeline.store.lua.sources import verbs

Arg = str | bytes | int | float

# The verbs that an irrevocable effect follows, or a message to a person that they are done. Under
# `everysec` only these are on disk when they return, with all that was written before them; the
# last writes of other verbs are lost if the machine dies at once. Under `always` nothing is lost.
_DURABLE = {"intend", "order_intent", "commit", "pause", "cancel", "edit", "resend"}


class Scripts:
    """
    Calls a verb by its file name; redis-py loads the script again into a restarted server.

    A server that does not sync every write comes with *syncs*, which waits until one is on disk.
    """

    def __init__(self, redis: Client, syncs: EverySecond | None = None) -> None:
        self._syncs = syncs
        self.waits_for_disk = syncs is not None
        self._scripts: dict[str, Script] = {
            name: redis.register_script(text) for name, text in verbs().items()
        }

    async def call(self, verb: str, *args: Arg) -> Any:  # noqa: ANN401 - each verb's header says
        """Return the reply of a verb; a verb of `_DURABLE` is on disk by then."""
        call = partial(self._scripts[verb], keys=[], args=args)
        if self._syncs is not None and verb in _DURABLE:
            return await self._syncs.until_on_disk(call)
        return await call()


def decode_pairs(reply: list[bytes]) -> dict[str, str]:
    """Return a flat field-value reply as text."""
    pairs = iter(reply)
    return {field.decode(): value.decode() for field, value in zip(pairs, pairs, strict=True)}


def decode_hash(reply: dict[bytes, bytes]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in reply.items()}


def server_ms(reply: tuple[int, int]) -> int:
    """Return what TIME answered (seconds and microseconds) in ms since the epoch."""
    seconds, micros = reply
    return seconds * 1000 + micros // 1000


def server_seconds(reply: tuple[int, int]) -> float:
    """Return what TIME answered in seconds since the epoch."""
    seconds, micros = reply
    return seconds + micros / 1e6
