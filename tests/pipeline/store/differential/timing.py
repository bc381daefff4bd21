"""
How long each verb takes the server: microseconds per call, old scripts and new in turn.

The calls are those of one batch of 100 people on its way, in a campaign of 1,000 batches. Before
each call everything that it changes is put back, so it does the same work every time. What counts
is the server's own account of EVALSHA, so neither the connection nor the client is in it. Figures
are medians of the rounds; the last column compares the rounds that were disturbed least.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from redis import Redis

from pipeline.store.keys import KEYRING, batch_key, suppressed_key
from tests.pipeline.store.differential.moves import Move, id_digest
from tests.pipeline.store.differential.pair import Arg, Client
from tests.pipeline.store.differential.programs import Scripts
from tests.pipeline.store.differential.world import digest

_ROUNDS = 75
_CALLS = 40
"""Per round and program: 3,000 in all, in rounds so short that some are undisturbed."""
_SIZE, _BATCHES = 100, 1000
_ID, _SERIAL = "c", "1"
_LEASE = 600_000


@dataclass(frozen=True, slots=True)
class _Programs:
    redis: Client
    old: dict[str, str]
    new: dict[str, str]


def measured(url: str, old: Scripts, new: Scripts) -> Iterator[str]:
    """Yield the lines of a table of all verbs; the server's database 0 is emptied."""
    redis: Client = Redis.from_url(url)
    redis.flushdb()
    shas = [
        {verb: redis.script_load(text) for verb, text in scripts.items()} for scripts in (old, new)
    ]
    programs = _Programs(redis, *shas)
    yield f"{'verb':28} {'old µs':>9} {'new µs':>9}  new/old  of the least"
    yield from _rows(programs)


def _rows(programs: _Programs) -> Iterator[str]:
    ratios = []
    move, reply = _life(programs.redis), None
    while True:
        try:
            called, *args = move.send(reply)
        except StopIteration:
            break
        name = str(called)
        verb, _, label = name.partition(" ")
        if label != "-":
            old, new = _measure(programs, verb, tuple(args))
            ratios.append(median(new) / median(old))
            figures = f"{median(old):9.1f} {median(new):9.1f}  {ratios[-1]:7.3f}"
            yield f"{name:28} {figures}  {min(new) / min(old):7.3f}"
        reply = programs.redis.evalsha(programs.new[verb], 0, *args)
    yield f"{'median of the ratios':48}  {median(ratios):7.3f}"


def _measure(
    programs: _Programs, verb: str, args: tuple[Arg, ...]
) -> tuple[list[float], list[float]]:
    """Return µs per call, a figure per round, with the old program and with the new one."""
    changed = _changed_by(programs, verb, args)
    rounds = []
    for number in range(_ROUNDS + 1):
        pair = [programs.old[verb], programs.new[verb]]
        turns = pair if number % 2 else pair[::-1]
        found = {sha: _round(programs.redis, sha, args, changed) for sha in turns}
        rounds.append((found[pair[0]], found[pair[1]]))
    _put_back(programs.redis, changed)
    return [old for old, _ in rounds[1:]], [new for _, new in rounds[1:]]


def _round(redis: Client, sha: str, args: tuple[Arg, ...], changed: dict[bytes, Any]) -> float:
    pipe = redis.pipeline(transaction=False)
    for _ in range(_CALLS):
        _put_back(pipe, changed)
        pipe.evalsha(sha, 0, *args)
    redis.config_resetstat()
    pipe.execute()
    spent = redis.info("commandstats")["cmdstat_evalsha"]
    per_call: float = spent["usec"] / spent["calls"]
    return per_call


def _changed_by(programs: _Programs, verb: str, args: tuple[Arg, ...]) -> dict[bytes, Any]:
    """Return every key that a call changes with its content before, and put it back."""
    before = _content(programs.redis)
    programs.redis.evalsha(programs.old[verb], 0, *args)
    after = _content(programs.redis)
    changed = {
        key: before.get(key)
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
    _put_back(programs.redis, changed)
    return changed


def _content(redis: Client) -> dict[bytes, Any]:
    found = redis.keys("*")
    pipe = redis.pipeline(transaction=False)
    for key in found:
        pipe.dump(key)
    return dict(zip(found, pipe.execute(), strict=True))


def _put_back(redis: Client, changed: dict[bytes, Any]) -> None:
    for key, content in changed.items():
        if content is None:
            redis.delete(key)
        else:
            redis.restore(key, 0, content, replace=True)


def _life(redis: Client) -> Move:
    """What becomes of a campaign and of its first batches; ` -` behind a verb: not measured."""
    yield from _keys_and_trail()
    yield "stage_begin", _ID, "n", 10_000_000
    for number in range(1, _BATCHES + 1):
        name = "stage_batch" if number == _BATCHES // 2 else "stage_batch -"
        ids = b"".join(id_digest(_SERIAL, (number - 1) * _SIZE + k) for k in range(_SIZE))
        args = (10_000_000, number, "3" * _SIZE, b"s" * 20_000, (number - 1) * _SIZE, 1562, ids)
        yield name, _ID, _SERIAL, "n", *args
    yield "stage_begin -", "another", "n", 10_000_000
    yield "stage_drop", "another", "2", "n"
    people = _SIZE * _BATCHES
    fields: dict[str, Arg] = {
        "ver": 1,
        "n": people,
        "nb": _BATCHES,
        "bs": _SIZE,
        "xb": 1562,
        "channels": "es",
    }
    fields |= {"mode": "first", "resend": "e", "d:pending": people, "p:open": people}
    pairs = [part for pair in (fields | {"b:planned": _BATCHES}).items() for part in pair]
    yield "commit", _ID, _SERIAL, "n", b"s" * 2000, 0, *pairs
    yield from _permits()
    first = yield "pump 1 slot", 1, 0, 0, 60_000, "w", 1, 0
    yield "pump 10 slots", 10, 10, 10, 60_000, "w", 1, 2
    yield from _batch([part.decode() for part in first])
    yield from _dead_order(redis)
    yield from _steering()


def _dead_order(redis: Client) -> Move:
    """An order that never comes, or with 40 links: people without one move to a new batch."""
    unit = [part.decode() for part in (yield "pump -", 1, 0, 0, 60_000, "w", 1, 0)]
    grant = yield "claim -", *unit, "n7", _LEASE
    serial, number = unit[:2]
    held = (serial, number, grant[0].decode())
    yield "order_intent -", *held, "PO-9", "h" * 64, "p9"
    yield "order_placed -", *held, "order-9"
    yield "hold -", *held, "order_failed", b"", 0, 0
    since = redis.hget(batch_key(serial, int(number)), "th")
    first = (int(number) - 1) * _SIZE
    ids = [id_digest(_SERIAL, first + k) for k in range(40, _SIZE)]
    lookups = [part for found in ids for part in (int.from_bytes(found[:4]) % 1562, found)]
    links = b"".join(digest(f"late link {k}", 12) for k in range(40))
    parted = (b"s" * 8_000, b"s" * 12_000, 40, b"s" * 4_000, links)
    read = ("order_failed", since, b"s" * 20_000)
    yield "reorder", serial, number, _BATCHES + 1, *read, *parted, *lookups


def _batch(unit: list[str]) -> Move:
    serial, number, lane, dispatch_number = unit
    place = (serial, number)
    grant = yield "claim o", *place, lane, dispatch_number, "n1", _LEASE
    token = grant[0].decode()
    held = (*place, token)
    yield "renew 1", _LEASE, *place, "o", token
    yield "renew 20", _LEASE, *((*place, "o", token) * 20)
    yield "order_intent", *held, "PO-1", "h" * 64, "p1"
    yield "order_unsent", *held, "p1"
    yield "order_intent -", *held, "PO-1", "h" * 64, "p2"
    yield "order_placed", *held, "order-1"
    yield "settle_wait", *held, "r", 0, "polls"
    yield "wake", *place, 1
    _, _, _, dispatch_number = [
        part.decode() for part in (yield "pump r", 0, 1, 0, 60_000, "w", 1, 0)
    ]
    grant = yield "claim r", *place, "r", dispatch_number, "n2", _LEASE
    held = (*place, grant[0].decode())
    yield "hold", *held, "links_many", b"s" * 2000, 5, 0
    yield "retry_batch -", *place, 0, 0, 1, 0, "[]"
    _, _, _, dispatch_number = [
        part.decode() for part in (yield "pump -", 0, 1, 0, 60_000, "w", 1, 0)
    ]
    grant = yield "claim -", *place, "r", dispatch_number, "n3", _LEASE
    held = (*place, grant[0].decode())
    links = b"".join(digest(f"link {k}", 12) for k in range(_SIZE))
    yield "links_received", *held, b"s" * 10_000, 0, links
    _, _, _, dispatch_number = [
        part.decode() for part in (yield "pump s", 0, 0, 1, 60_000, "w", 1, 0)
    ]
    yield from _sending(place, dispatch_number)


def _sending(place: tuple[str, str], dispatch_number: str) -> Move:
    grant = yield "claim s fresh", *place, "s", dispatch_number, "n4", _LEASE
    held = (*place, grant[0].decode())
    yield "intend 1", *held, "1", json.dumps([[0, "e", 1, 0]]), b""
    everybody = [[k, "e", 1, 0, suppressed_key(k * 7 % 1024)] for k in range(_SIZE)]
    fields = b"".join(digest(f"address {k}", 10) for k in range(_SIZE))
    yield "intend 100", *held, "1", json.dumps(everybody), fields
    sent = [[k, "e", 1, "s", "", 0, 1] for k in range(_SIZE)]
    yield "record 1", json.dumps([[*place, sent[:1]]])
    failed = [[k, "e", 1, "f", "smtp_550_5.1.1", 0, 1] for k in range(90, _SIZE)]
    yield "record 10 failed", json.dumps([[*place, failed]])
    yield "record 100", json.dumps([[*place, sent]])
    seconds = [[k, "s", 1, 0] for k in range(90, _SIZE)]
    yield "intend 10 second channel", *held, "1", json.dumps(seconds), b""
    yield "renew -", 1, *place, "s", held[-1]
    yield "distributed open", *held, 0
    _, _, _, dispatch_number = [
        part.decode() for part in (yield "pump -", 0, 0, 1, 60_000, "w", 1, 0)
    ]
    grant = yield "claim s worked", *place, "s", dispatch_number, "n5", _LEASE
    held = (*place, grant[0].decode())
    refused = [[k, "s", 1, "f", "twilio_30003", 0, 1] for k in range(90, _SIZE)]
    yield "record -", json.dumps([[*place, refused]])
    yield "distributed done", *held, 0
    yield "retry_batch", *place, 1, 1, 0, 0, "[]"
    yield "resend", *place, 5, "e", 2, "se1.1.0.0.0.", b"s" * 200
    yield "erase_recipient", *place, 7, b"s" * 20_000, b"s" * 20_000, b"s" * 10_000, b"s" * 10_000


def _permits() -> Move:
    yield "permit", 10, "email", "1000.0"
    yield "permit two", 10, "email", "1000.0", "1:email", "1000.0"
    yield "cooldown", "email", 1
    yield "trip", "email", 5, 2e6, 3e8, "smtp_421"


def _steering() -> Move:
    yield "block", _SERIAL, "s", "smtp_auth", "words", 60_000
    yield "unblock", _SERIAL, "s"
    yield "pause", _SERIAL, "pause"
    yield "edit", _SERIAL, "1", "n", b"s" * 2000
    yield "pause resume", _SERIAL, "resume"
    yield "cancel 1,000 batches", _SERIAL
    _, number, lane, dispatch_number = [
        part.decode() for part in (yield "pump -", 1, 0, 0, 60_000, "w", 1, 0)
    ]
    grant = yield "claim -", _SERIAL, number, lane, dispatch_number, "n9", _LEASE
    yield "cancel_batch", _SERIAL, number, grant[0].decode(), ""
    yield "purge_begin", _SERIAL, 0
    yield "purge_batches", _SERIAL, 1, 10
    yield "purge_end", _SERIAL


def _keys_and_trail() -> Move:
    yield "keyring", b"s" * 100, "k1", 2
    yield "enroll", "k1,k2", "n1", 60_000, 2
    yield "retire", "k1", 60_000
    yield "audit", 0, "{}" * 100
    yield "alert", "held|1", "", "told 17 1"
    yield "reseal", KEYRING, "digest", b"s" * 32, b"t" * 100
