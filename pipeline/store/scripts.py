"""The Lua verbs: one file each, with what they share put in front, registered once."""

from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

_LUA = resources.files("pipeline.store") / "lua"

Arg = str | bytes | int | float


def _source(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text("utf-8")


class Scripts:
    """Runs a verb by its file name; a restarted server is given the script again by redis-py."""

    def __init__(self, redis: "Redis") -> None:
        common = _source("common")
        names = [file.name.removesuffix(".lua") for file in _LUA.iterdir()]
        self._scripts: dict[str, AsyncScript] = {
            name: redis.register_script(common + _source(name))
            for name in names
            if name != "common"
        }

    async def run(self, verb: str, *args: Arg) -> Any:  # noqa: ANN401 - each verb's header says
        return await self._scripts[verb](keys=[], args=args)


def flat(reply: list[bytes]) -> dict[str, str]:
    """Return a flat field-value reply as text."""
    pairs = iter(reply)
    return {field.decode(): value.decode() for field, value in zip(pairs, pairs, strict=True)}


def texts(reply: dict[bytes, bytes]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in reply.items()}
