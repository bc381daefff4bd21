"""Keys and sizes are the same in Lua and in Python, and Lua has them in one place."""

import inspect
import itertools
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName
from pipeline.store import keys
from pipeline.store.codec import LANE_LETTER
from pipeline.store.lookups import id_digest, link_digest
from pipeline.store.lua.sources import assembled, read_scripts
from pipeline.store.suppressions import Suppressions
from tests.pipeline.ledger import open_ledger
from tests.pipeline.store.lua.reading import defined_in, definitions, without_comments
from tests.support.redis import Redis

_FOLDER = files("pipeline.store.lua")
LIBRARY = read_scripts(_FOLDER / "lib")
_FILE_OF = {name: file for file, text in LIBRARY.items() for name in defined_in(text)}
_BUILT = {
    name: body
    for text in read_scripts(_FOLDER / "lib" / "keys").values()
    for names, body in definitions(text)
    for name in names
}
FUNCTIONS = sorted(name for name, body in _BUILT.items() if body.startswith("("))
CONSTANTS = [*sorted(_BUILT.keys() - set(FUNCTIONS)), "LINK_BUCKETS"]

_VALUES: Mapping[str, Sequence[str | int]] = {
    "serial": ["1", "987654321"],
    "batch": [1, 1_000_000],
    "bucket": [0, 4095],
    "lane": list(Lane),
    "channel": list(ChannelName),
    "version": [1, 12],
    "name": ["email", "7:sms"],
    "account": ["a1b2"],
}


async def run(redis: Redis, name: str, expression: str, *args: str | int) -> object:
    text = assembled("test", f"-- @include {_FILE_OF[name]}\nreturn {expression}", LIBRARY)
    return await redis.eval(text, 0, *args)


def _stored(arg: str | int) -> str | int:
    """Return an argument of a key as Lua is given it."""
    return LANE_LETTER[arg] if isinstance(arg, Lane) else arg


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_a_key_is_built_as_in_python(redis: Redis, name: str) -> None:
    function = getattr(keys, name)
    parameters = list(inspect.signature(function).parameters)
    assert _BUILT[name].startswith(f"({', '.join(parameters)})")
    call = f"{name}({', '.join(f'ARGV[{n}]' for n in range(1, len(parameters) + 1))})"
    for args in itertools.product(*(_VALUES[parameter] for parameter in parameters)):
        assert await run(redis, name, call, *map(_stored, args)) == function(*args).encode()


@pytest.mark.parametrize("name", CONSTANTS)
async def test_a_constant_is_as_in_python(redis: Redis, name: str) -> None:
    found, expected = await run(redis, name, name), getattr(keys, name)
    assert found == (expected if isinstance(expected, int) else expected.encode())


def test_no_two_keys_are_the_same() -> None:
    assert len(FUNCTIONS) > 10
    assert len(CONSTANTS) > 10
    values = [getattr(keys, name) for name in CONSTANTS]
    assert len(set(values)) == len(values)


async def test_digests_are_as_long_as_in_python(redis: Redis) -> None:
    vault = open_ledger(redis).vault
    _, field = Suppressions(redis, vault).key_of(ChannelName.EMAIL, "a@example.com")
    sizes = {
        "LINK_DIGEST_BYTES": len(link_digest(vault, "https://example.com/1")),
        "ID_DIGEST_BYTES": len(id_digest(vault, "1", "r1")),
        "SUPPRESSION_FIELD_BYTES": len(field),
    }
    assert sizes == {name: await run(redis, name, name) for name in sizes}


def test_no_key_is_built_anywhere_else() -> None:
    builders = set(read_scripts(_FOLDER / "lib" / "keys"))
    others = LIBRARY | read_scripts(_FOLDER / "verbs")
    assert builders < others.keys()
    built = re.compile(r"cc:|(?:\b(?:campaign|batch)|_key\([^()]*\)) \.\. '")
    found = {name for name, text in others.items() if built.search(without_comments(text))}
    assert found <= builders
