"""What each Lua file does to which key and field, read off its calls of `redis.call`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pipeline.store import keys
from pipeline.store.lua.sources import includes, read_scripts
from tests.docs.data_model.dictionary.entries import Field
from tests.docs.data_model.dictionary.hashes import FIELDS
from tests.pipeline.store.lua.reading import without_comments

_FOLDER = files("pipeline.store.lua")
LIBRARY = read_scripts(_FOLDER / "lib")
VERBS = read_scripts(_FOLDER / "verbs")
_TEXTS = VERBS | {f"lib/{name}": text for name, text in LIBRARY.items()}

# The command to what it does, and which of its arguments behind the key are fields.
_ALL, _PAIRS, _ONE, _NONE = slice(None), slice(0, None, 2), slice(1), slice(0)
_COMMANDS: Mapping[str, tuple[str, slice]] = {
    **dict.fromkeys(["HSET"], ("sets", _PAIRS)),
    **dict.fromkeys(["HSETNX", "HINCRBY"], ("sets", _ONE)),
    "HDEL": ("removes", _ALL),
    **dict.fromkeys(["HGET", "HMGET", "HEXISTS"], ("reads", _ALL)),
    **dict.fromkeys(["HGETALL", "HKEYS"], ("reads", _NONE)),
    **dict.fromkeys(
        ["SET", "SADD", "ZADD", "RPUSH", "INCR", "PEXPIRE", "EXPIRE", "RENAME"], ("sets", _NONE)
    ),
    **dict.fromkeys(["DEL", "UNLINK", "SREM", "ZREM"], ("removes", _NONE)),
    **dict.fromkeys(
        [
            *("GET", "GETRANGE", "EXISTS", "PTTL", "LLEN", "LINDEX", "SRANDMEMBER"),
            *("ZRANGE", "ZRANGEBYSCORE", "ZCOUNT", "ZCARD", "ZSCORE", "ZMSCORE"),
        ],
        ("reads", _NONE),
    ),
}
_NO_KEY = {"TIME"}

# What the text of one file does not tell by itself.
_KEYS: Mapping[tuple[str, str], Sequence[str]] = {
    ("record", "key"): ["earlier_key"],
    ("record", "fact[8]"): ["suppressed_key"],
    ("intend", "list"): ["suppressed_key"],
    ("reorder", "key"): ["batch_key"],
    ("reorder", "key(serial, number)"): ["ledger_key", "resends_key"],
    ("reorder", "key(serial, new)"): ["ledger_key", "resends_key"],
    ("purge_batches", "unpack(keys)"): [
        *("recipients_key", "links_key", "evidence_key", "resends_key")
    ],
    ("reseal", "key"): [],  # whatever is sealed
}
_PARAMETERS: Mapping[str, str] = {
    "batch": "batch_key",
    "campaign": "campaign_key",
    "ledger": "ledger_key",
    "c.key": "campaign_key",
    "l.key": "limiter_key",
    "link_place(digests, k)": "links_index_key",
}
_FIELDS: Mapping[tuple[str, str], Sequence[str]] = {
    ("commit", "name"): [],  # what staging.py gives
    ("lib/counters", "name"): [],  # what was counted
    ("lib/finish_if_done", "unpack(fields)"): [
        *("d:pending", "d:sending", "b:planned", "b:ordered", "b:fulfilled", "b:held")
    ],
    ("retire", "field"): ["ring:*"],
    ("settle_wait", "ARGV[6]"): ["polls", "odd", "fails"],
    ("settle_wait", "ARGV[6] .. ':at'"): ["polls:at", "odd:at", "fails:at"],
    ("lib/tally", "TOTAL[d.status]"): ["d:*"],
    ("lib/tally", "BY_CHANNEL[d.channel][d.status]"): ["c:*:*"],
    ("lib/tally", "person_counter(deliveries)"): ["p:*"],
}


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """
    A Lua file reads, sets or removes a field of a key; `field` is empty for the key itself.

    `file` is the name of a verb, or that of a file of the library behind `lib/`.
    """

    file: str
    key: str
    field: str
    does: str


@cache
def accesses() -> frozenset[Access]:
    """Return all there are; raises ValueError for a call that cannot be understood."""
    return frozenset(each for file, text in _TEXTS.items() for each in _accesses(file, text))


def users(library: str) -> list[str]:
    """Return the verbs that a file of the library is part of, directly or by another one."""
    return sorted(name for name, text in VERBS.items() if library in _needed(text))


def entry(key: str, field: str) -> Field | None:
    """Return what the dictionary has of a field as a Lua file names it, `*` for what differs."""
    known = FIELDS.get(key, ())
    if field == "*" and len(known) == 1:
        return known[0]
    by_name = {re.sub("<[^<>]+>", "*", each.name): each for each in known}
    if field in by_name:
        return by_name[field]
    matching = (e for e in known if "*" not in field and e.expression.fullmatch(field))
    return next(matching, None)


def _needed(text: str) -> set[str]:
    names = set(includes(text))
    return names.union(*(_needed(LIBRARY[name]) for name in names))


def _accesses(file: str, text: str) -> Iterator[Access]:
    code = without_comments(text)
    variables = dict(_variables(code))
    for command, *args in map(_arguments, _calls(code, "redis.call")):
        names = re.findall(r"'([A-Z]+)'", command)
        if _NO_KEY.issuperset(names):
            continue
        for name in names:
            does, where = _COMMANDS[name]
            for key in _keys(file, args[0], variables):
                yield Access(file, key, "", does)
                for field in args[1:][where]:
                    yield from (
                        Access(file, key, each, does) for each in _fields(file, field, variables)
                    )
            if name in {"EXISTS", "RENAME"}:
                yield from _further(file, args[1:], does, variables)
    for _, field, _ in map(_arguments, _calls(code, r"(?<!function )\bcount")):
        for each in _fields(file, field, variables):
            yield Access(file, "campaign_key", each, "sets")
    for each in re.findall(r"\['(\w:\w+)'\] = ", code):
        yield Access(file, "campaign_key", each, "sets")


def _further(
    file: str, args: Sequence[str], does: str, variables: Mapping[str, str]
) -> Iterator[Access]:
    for arg in args:
        for key in _keys(file, arg, variables):
            yield Access(file, key, "", does)


def _calls(code: str, function: str) -> Iterator[str]:
    """Yield what stands between the brackets of each call of a function."""
    pattern = function.replace("redis.", r"redis\.")
    for match in re.finditer(rf"{pattern}\(", code):
        yield code[match.end() : _end(code, match.end())]


def _end(code: str, start: int) -> int:
    """Return where the bracket ends that was opened before *start*."""
    depth = 1
    for match in re.compile(r"'[^'\n]*'|[(){}\[\]]").finditer(code, start):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    msg = f"a bracket is not closed: {code[start : start + 60]!r}"
    raise ValueError(msg)


def _arguments(text: str) -> list[str]:
    """Return the parts of *text* between its outer commas."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"'[^'\n]*'|[(){}\[\],]", text):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(match[0], 0)
        if match[0] == "," and depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def _variables(code: str) -> Iterator[tuple[str, str]]:
    """Yield the local variables of a file, each with what it was made from."""
    for match in re.finditer(r"local ([\w, ]+) = ((?:[^\n]*,\n)*[^\n]*)", code):
        names = [name.strip() for name in match[1].split(",")]
        yield from zip(names, _arguments(match[2]), strict=False)


def _keys(file: str, text: str, variables: Mapping[str, str]) -> Sequence[str]:
    if (file, text) in _KEYS:
        return _KEYS[file, text]
    made = variables.get(text, text)
    name = re.match(r"\w+", made)
    if name and hasattr(keys, name[0]):
        return [name[0]]
    for each in (text, made):
        if each in _PARAMETERS:
            return [_PARAMETERS[each]]
    msg = f"{file}.lua: which key is {text!r}?"
    raise ValueError(msg)


def _fields(file: str, text: str, variables: Mapping[str, str]) -> Sequence[str]:
    if (file, text) in _FIELDS:
        return _FIELDS[file, text]
    parts = [part.strip() for part in text.split("..")]
    return ["".join(_part(part, variables) for part in parts)]


def _part(text: str, variables: Mapping[str, str]) -> str:
    made = variables.get(text, text)
    if text != made and made.startswith("'"):
        return "".join(_part(part.strip(), {}) for part in made.split(".."))
    return text[1:-1] if text.startswith("'") else "*"
