"""A server looked at as it is, and what of it the dictionary does not describe."""

from dataclasses import dataclass, field

from pipeline.domain.vault import is_sealed
from tests.docs.data_model.dictionary.all_keys import KEYS
from tests.docs.data_model.dictionary.arq_keys import ARQ
from tests.docs.data_model.dictionary.entries import Key
from tests.docs.data_model.dictionary.hashes import FIELDS, field_of
from tests.support.redis import Redis

_TYPES = {"string": b"string", "hash": b"hash", "list": b"list", "set": b"set"}


@dataclass(slots=True)
class Seen:
    """
    What was seen so far: `found` are keys, or keys and fields, by the names of their entries.

    `wrong` are sentences about what is not as it is documented.
    """

    found: set[tuple[str, str]] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)

    @property
    def missing_of_arq(self) -> set[tuple[str, str]]:
        """Return what arq is said to keep and was never seen to."""
        return {(key.name, "") for key in (*KEYS, *ARQ) if key.by_arq or key in ARQ} - self.found

    @property
    def missing(self) -> set[tuple[str, str]]:
        """Return what is documented and was never seen, but for what arq keeps."""
        known = {(key.name, "") for key in KEYS if not key.by_arq}
        known |= {(key, each.name) for key, fields in FIELDS.items() for each in fields}
        return known - self.found

    async def look(self, redis: Redis) -> None:
        """Add all that is there now."""
        for name in [key async for key in redis.scan_iter(match="*", count=1000)]:
            known = (key for key in (*KEYS, *ARQ) if key.expression.fullmatch(name.decode()))
            entries = list(known)
            if len(entries) != 1:
                self.wrong.add(f"{name!r} is a key that nobody knows")
                continue
            await self._look_at(redis, name, entries[0])

    async def _look_at(self, redis: Redis, name: bytes, key: Key) -> None:
        self.found.add((key.name, ""))
        kind = await redis.type(name)
        if kind == b"none":
            return  # gone since
        if kind != _TYPES.get(key.kind, b"zset"):
            self.wrong.add(f"{name!r} is a {kind!r}")
        elif key.kind == "string":
            value = await redis.get(name) or b""
            if value and is_sealed(value) != (key.sealed == "sealed"):
                self.wrong.add(f"{name!r}: sealed is {is_sealed(value)}")
        elif key.kind == "hash":
            for each, value in (await redis.hgetall(name)).items():
                self._look_at_field(name, key, each.decode("latin-1"), value)

    def _look_at_field(self, name: bytes, key: Key, text: str, value: bytes) -> None:
        known = field_of(key.name, text)
        if known is None:
            self.wrong.add(f"{name!r} has a field that nobody knows: {text}")
            return
        self.found.add((key.name, known.name))
        if is_sealed(value) != known.kind.startswith("sealed"):
            self.wrong.add(f"{text} of {name!r}: sealed is {is_sealed(value)}")
