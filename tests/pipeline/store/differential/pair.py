"""Two databases that are given the same calls, one with the old scripts and one with the new."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis, ResponseError

from tests.pipeline.store.differential.programs import Scripts

Arg = str | bytes | int | float
Client = Any  # redis-py says that a reply of its blocking client may have to be awaited

_REPLAY = Path(__file__).with_name("replay.lua").read_text("utf-8")
# Where an error is, and what the variable is called there.
_PLACE = re.compile(r"\w*user_script:\d+: ?| ?script: .*|'[^']*'")
_LAPSE = """
local now = tonumber(ARGV[1])
local noted = redis.call('HGETALL', 'fuzz:expiries')
for i = 1, #noted, 2 do
  if tonumber(noted[i + 1]) <= now then
    redis.call('DEL', noted[i])
    redis.call('HDEL', 'fuzz:expiries', noted[i])
  end
end
"""
_TYPES = """
local found = {}
for _, key in ipairs(redis.call('KEYS', 'cc:*')) do
  found[#found + 1] = { key, redis.call('TYPE', key).ok }
end
found[#found + 1] = { 'fuzz:expiries', 'hash' }
return found
"""


class DifferenceError(Exception):
    """The two programs did not do the same; the text says where and how."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A script that broke off, by data or arguments that make no sense."""

    why: str


@dataclass(frozen=True, slots=True)
class _Side:
    redis: Client
    shas: Mapping[str, str]

    def run(self, verb: str, args: tuple[Arg, ...], now_us: int) -> tuple[object, list[bytes]]:
        """Return the reply and every command that was run for it."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.delete("fuzz:commands")
        pipe.hset("fuzz:clock", mapping={"s": now_us // 10**6, "us": now_us % 10**6})
        pipe.evalsha(self.shas[verb], 0, *args)
        pipe.lrange("fuzz:commands", 0, -1)
        *_, reply, commands = pipe.execute(raise_on_error=False)
        if isinstance(reply, ResponseError):
            reply = Failed(_PLACE.sub("", str(reply)))
        return reply, commands

    def dump(self) -> dict[bytes, object]:
        """Return everything that the server holds."""
        types = dict(self.redis.eval(_TYPES, 0))
        pipe = self.redis.pipeline(transaction=False)
        readers: Mapping[bytes, Any] = {
            b"string": pipe.get,
            b"hash": pipe.hgetall,
            b"set": pipe.smembers,
            b"list": lambda key: pipe.lrange(key, 0, -1),
            b"zset": lambda key: pipe.zrange(key, 0, -1, withscores=True),
        }
        for key, kind in types.items():
            readers[kind](key)
        return dict(zip(types, pipe.execute(), strict=True))


class Pair:
    """*url* names a server of ours: its databases 0 and 1 are emptied."""

    def __init__(self, url: str, old: Scripts, new: Scripts) -> None:
        self.old, self.new = (
            self._side(url, number, scripts) for number, scripts in enumerate((old, new))
        )

    def _side(self, url: str, database: int, scripts: Scripts) -> _Side:
        redis: Client = Redis.from_url(url, db=database)
        shas = {verb: redis.script_load(_REPLAY + text) for verb, text in scripts.items()}
        return _Side(redis, shas)

    def clear(self) -> None:
        for side in (self.old, self.new):
            side.redis.flushdb()

    def run(self, verb: str, args: tuple[Arg, ...], now_us: int) -> object:
        """Return the reply of both; DifferenceError if they differ in it or in their commands."""
        (reply, commands), (other, others) = (
            side.run(verb, args, now_us) for side in (self.old, self.new)
        )
        if reply != other:
            raise DifferenceError(_told(verb, args, "reply", reply, other))
        if commands != others:
            first = next(
                (pair for pair in zip(commands, others, strict=False) if pair[0] != pair[1]),
                (len(commands), len(others)),
            )
            raise DifferenceError(_told(verb, args, "command", *first))
        return reply

    def both(self, *command: Arg) -> None:
        """Run a plain command, as Python runs some."""
        for side in (self.old, self.new):
            side.redis.execute_command(*command)

    def lapse(self, now_us: int) -> None:
        """Remove what has expired by now."""
        for side in (self.old, self.new):
            side.redis.eval(_LAPSE, 0, str(now_us // 1000))

    def compare(self) -> int:
        """Return how many keys there are; raises DifferenceError if the data differ."""
        old, new = self.old.dump(), self.new.dump()
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                raise DifferenceError(_told("data", (key,), "value", old.get(key), new.get(key)))
        return len(old)


def _told(verb: str, args: tuple[Arg, ...], what: str, old: object, new: object) -> str:
    return f"{verb} {args!r}\n  old {what}: {old!r}\n  new {what}: {new!r}"
