"""What a worker or a person may do next: a move is a few calls of verbs, by their replies."""

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any

from pipeline.store import keys
from tests.pipeline.store.differential.pair import Arg
from tests.pipeline.store.differential.world import CODES, Place, World, digest

Call = tuple[Arg, ...]
Move = Generator[Call, Any, None]
"""Yields verb and arguments, and is sent the reply; a call of `!` is a plain command."""

LANES = ("o", "r", "s")
CHANNELS = ("email", "sms", "webhook")
KINDS = "sdbfoxuprlnw"


def submit(w: World) -> Move:
    campaign_id, nonce = w.random.choice(["a", "b", "c", "d"]), w.nonce()
    patience = w.ms(10_000, 10_000, 50)
    kind, serial, *_ = yield "stage_begin", campaign_id, nonce, patience
    if kind != b"staging":
        return
    mine = (campaign_id, serial.decode(), nonce)
    channels = w.random.choice(["e", "es", "se", "ews", "ws"])
    size, batches = w.random.randint(1, 5), w.random.randint(1, 4)
    people = 0
    for number in range(1, batches + 1):
        here = size if number < batches else w.random.randint(1, size)
        plan = "".join(chr(48 + w.random.randrange(1, 2 ** len(channels))) for _ in range(here))
        ids = b"".join(id_digest(mine[1], people + k) for k in range(here))
        if w.chance(0.05):
            ids = id_digest(mine[1], 0) * here
        yield "stage_batch", *mine, patience, number, plan, w.sealed(), people, 3, ids
        people += here
    if w.chance(0.1):
        yield "stage_drop", *mine[:2], w.random.choice([nonce, ""])
    fields: dict[str, Arg] = {
        "ver": 1,
        "n": people,
        "nb": batches,
        "bs": size,
        "xb": 3,
        "channels": channels,
        "mode": w.random.choice(["first", "all"]),
        "resend": w.random.choice(["", channels, channels[0]]),
        "d:pending": people,
        "p:open": people,
        "b:planned": batches,
    }
    pairs = [part for pair in fields.items() for part in pair]
    start = 0 if w.chance(0.9) else w.now_us // 1000 + 5000
    yield "commit", *mine, w.sealed(), start, *pairs


def id_digest(serial: str, position: int) -> bytes:
    return digest(f"id {serial} {position}", 9)


def work(w: World) -> Move:
    """A worker pumps, claims what it is given, and works it, or dies at some point."""
    slots = [w.random.randint(0, 3) for _ in LANES]
    worker, idle = w.random.choice(["", "w1", "w1", "w2"]), w.ms(0, 1, 1)
    reply = yield "pump", *slots, w.ms(1000, 60_000), worker, idle, w.ms(0, 0, 2)
    found = [value.decode() for value in reply]
    for k in range(0, len(found), 4):
        serial, number, lane, dispatch_number = found[k : k + 4]
        if number.isdigit():  # it may be spoilt
            w.units.append((serial, int(number), lane, dispatch_number))
            yield from claim(w)


def claim(w: World) -> Move:
    if not w.units:
        return
    unit = w.units[-1] if w.chance(0.8) else w.random.choice(w.units)
    serial, number, lane, _ = unit
    place = Place(serial, number)
    args = (*unit, w.nonce(), w.ms(50, 60_000, 60_000))
    reply = yield "claim", *args
    if w.chance(0.05):
        reply = yield "claim", *args
    if not isinstance(reply, list):
        return
    token = reply[0].decode()
    w.tokens.append(token)
    if w.chance(0.15):  # it dies
        return
    if w.chance(0.3):
        held = [*unit[:3], token, *(w.random.choice(w.units)[:3]), w.random.choice(w.tokens)]
        yield "renew", w.ms(50, 60_000), *held
    if reply[2] == b"1" and w.chance(0.8):
        yield "cancel_batch", *place.args, token, w.random.choice(["", "order_unknown"])
        return
    steps = {"o": order, "r": read_order, "s": send}
    yield from steps[lane](w, place, token)


def order(w: World, place: Place, token: str) -> Move:
    mine = (*place.args, token)
    nonce = w.nonce()
    if w.chance(0.1):
        yield from settle(w, place, token, "o")
        return
    po = "PO-2" if w.chance(0.05) else "PO-1"
    yield "order_intent", *mine, po, w.random.choice(["h1", "h1", "h1", "h2"]), nonce
    if w.chance(0.1):
        yield "order_unsent", *mine, w.random.choice([nonce, w.nonce()])
    if w.chance(0.15):
        lane = w.random.choice(LANES)
        yield "block", place.serial, lane, "insufficient_funds", "words", w.ms(0, 100, 60_000)
    if w.chance(0.15):
        yield from hold(w, place, token)
    elif w.chance(0.85):
        yield "order_placed", *mine, "order-1"
        if w.chance(0.6):
            yield from settle(w, place, token, "r")
        else:
            yield from read_order(w, place, token)


def settle(w: World, place: Place, token: str, lane: str) -> Move:
    field = w.random.choice(["", "polls", "odd", "fails"])
    yield "settle_wait", *place.args, token, lane, w.ms(0, 0, 500, 60_000), field


def hold(w: World, place: Place, token: str) -> Move:
    reason = w.random.choice(["links_many", "order_overdue", "order_failed", "uncertain"])
    evidence, missing = w.random.choice([b"", w.sealed()]), w.ms(0, 1, 2)
    yield "hold", *place.args, token, reason, evidence, missing, w.ms(0, 0, 1000)


def read_order(w: World, place: Place, token: str) -> Move:
    if w.chance(0.2):
        yield from settle(w, place, token, "r")
    elif w.chance(0.2):
        yield from hold(w, place, token)
    else:
        batch = w.batch(place)
        erased = len(batch.get("gone", "").split()) + (1 if w.chance(0.04) else 0)
        digests = w.link_digests(place, len(batch.get("plan", "")))
        yield "links_received", *place.args, token, w.sealed(), erased, digests


def send(w: World, place: Place, token: str) -> Move:
    for _ in range(w.random.randint(1, 4)):
        yield from intend(w, place, token)
        if w.chance(0.1):
            return
        yield from record(w, place)
    if w.chance(0.8):
        yield "distributed", *place.args, token, w.ms(0, 0, 1000)
    else:
        yield from settle(w, place, token, "s")


def intend(w: World, place: Place, token: str) -> Move:
    wanted, fields = [], b""
    for _ in range(w.random.randint(0, 5)):
        index = w.index(place)
        letter, resend_number, attempt = w.random.choice(w.deliveries(place, index))
        resend_number = max(1, resend_number - (1 if w.chance(0.1) else 0))
        asked = [index, letter, resend_number, attempt + (1 if w.chance(0.05) else 0)]
        if w.chance(0.4):
            key, field = w.suppressed()
            asked, fields = [*asked, key], fields + field
        wanted.append(asked)
    version = "9" if w.chance(0.03) else w.campaign(place.serial).get("ver", "1")
    yield "intend", *place.args, token, version, json.dumps(wanted), fields


def record(w: World, place: Place) -> Move:
    groups = []
    kinds = w.random.choice([KINDS, "sd", "fbo", "fbo", "u"])
    for where in [place, w.place()][: w.random.randint(1, 2)]:
        facts = []
        for _ in range(w.random.randint(0, 6)):
            index = w.index(where)
            letter, resend_number, attempt = w.random.choice(w.deliveries(where, index))
            attempt = w.random.choice([attempt, attempt, attempt, attempt, 0, attempt - 1])
            resend_number = max(1, resend_number - (1 if w.chance(0.15) else 0))
            kind, code = w.random.choice(kinds), w.random.choice(CODES)
            fact = [index, letter, attempt, kind, code, w.ms(0, 0, 2000), resend_number]
            if kind in "bfx" and w.chance(0.3):
                key, field = w.suppressed()
                fact += [key, field.hex()]
            facts.append(fact)
        groups.append([*where.args, facts])
    yield "record", json.dumps(groups)


def late_facts(w: World) -> Move:
    yield from record(w, w.place(w.random.choice(["done", "held", "fulfilled", "cancelled"])))


def stale_worker(w: World) -> Move:
    """A worker goes on with a batch, by any token, in any state."""
    place = w.place()
    token = w.token(place)
    steps: list[Callable[[World, Place, str], Move]] = [order, read_order, send, hold, intend]
    yield from w.random.choice(steps)(w, place, token)


def any_claim(w: World) -> Move:
    """A job runs again, or in another lane."""
    place = w.place()
    dispatch_number = w.batch(place).get("turn", "0")
    w.units.append((*place.args, w.random.choice(LANES), dispatch_number))
    yield from claim(w)


def wake(w: World) -> Move:
    yield "wake", *w.place().args, w.ms(0, 1)


def steer(w: World) -> Move:
    serial = w.serial()
    yield "pause", serial, w.random.choice(["pause", "resume", "resume"])


def cancel(w: World) -> Move:
    if w.chance(0.3):
        yield "cancel", w.serial()


def cancel_batch(w: World) -> Move:
    place = w.place()
    yield "cancel_batch", *place.args, w.token(place), ""


def block(w: World) -> Move:
    serial, lane = w.serial(), w.random.choice(LANES)
    yield "block", serial, lane, "reason", "words", w.ms(0, 100, 60_000)
    if w.chance(0.6):
        yield "unblock", serial, lane


def edit(w: World) -> Move:
    serial = w.serial()
    yield "pause", serial, "pause"
    version = w.campaign(serial).get("ver", "1")
    nonce = w.nonce()
    yield "edit", serial, version, nonce, w.sealed()
    if w.chance(0.3):
        yield "edit", serial, version, w.random.choice([nonce, w.nonce()]), w.sealed()
    yield "pause", serial, "resume"


def retry(w: World) -> Move:
    place = w.place(w.random.choice(["held", "done", "fulfilled"]))
    suppressed = [f"{w.index(place)}e1" for _ in range(w.random.randint(0, 2))]
    flags = [w.ms(0, 1, 1) for _ in range(4)]
    yield "retry_batch", *place.args, *flags, json.dumps(suppressed)


def resend(w: World) -> Move:
    place = w.place(w.random.choice(["done", "done", "fulfilled", "held"]))
    index = w.index(place)
    letter, resend_number, _ = w.random.choice(w.deliveries(place, index))
    seen, sealed = w.field(place, index), w.sealed()
    args = (*place.args, index, letter, resend_number + 1)
    yield "resend", *args, "old" if w.chance(0.05) else seen, sealed
    if w.chance(0.1):
        yield "resend", *args, seen, sealed


def reorder(w: World) -> Move:
    place = w.place("held")
    batch, campaign = w.batch(place), w.campaign(place.serial)
    if ("tf" in batch or batch.get("why") == "uncertain") and w.chance(0.9):
        return
    size, count = len(batch.get("plan", "")), w.number(campaign, "bs")
    keep, new = w.random.randint(0, max(0, size - 1)), w.number(campaign, "nb") + 1
    first = (place.number - 1) * count
    lookups: list[Arg] = []
    for position in range(first + keep, first + size):
        found = id_digest(place.serial, position)
        lookups += ["" if w.chance(0.1) else int.from_bytes(found[:4]) % 3, found]
    read = w.blob(keys.recipients_key(*place.args))
    held = (batch.get("why", ""), batch.get("th", ""), read)
    kept = w.sealed() if keep else b""
    digests = w.link_digests(place, keep)
    moved = (w.sealed(), w.sealed(), keep, kept, digests)
    yield "reorder", *place.args, new, *held, *moved, *lookups


def erase(w: World) -> Move:
    place = w.place()
    rows, links = (key(*place.args) for key in (keys.recipients_key, keys.links_key))
    read, read_links = w.blob(rows), w.blob(links)
    without = w.sealed() if read_links else b""
    yield "erase_recipient", *place.args, w.index(place), read, w.sealed(), read_links, without


def purge(w: World) -> Move:
    serial = w.serial()
    if not w.chance(0.3):
        return
    yield "purge_begin", serial, w.ms(0, 0, 1000)
    batches = w.number(w.campaign(serial), "nb")
    for number in range(1, batches + 1):
        if w.chance(0.9):
            yield "purge_batches", serial, number, number + w.ms(0, 1)
    yield "purge_end", serial


def limit(w: World) -> Move:
    names = ["orders", "orders:new", "reads", *CHANNELS, f"{w.serial()}:email"]
    name = w.random.choice(names)
    asked: list[Arg] = [name, w.random.choice(["0.0", "1000.0", "333333.3333", "2500000.0"])]
    if w.chance(0.4):
        asked += [w.random.choice(names), w.random.choice(["0.0", "50000.0"])]
    yield "permit", w.ms(0, 1, 3, 50), *asked
    if w.chance(0.1):
        yield "cooldown", name, w.ms(0, 1000, 200_000, 5_000_000)
    if w.chance(0.1):
        yield (
            "!",
            "HSET",
            keys.LIMITS,
            name,
            w.random.choice(["100000.0|10/s", "0.0|unlimited"]),
        )
    if w.chance(0.1):
        yield "!", "HDEL", keys.LIMITS, name


def trip(w: World) -> Move:
    channel = w.random.choice(CHANNELS)
    yield "trip", channel, w.ms(1, 3), 2e6, 3e8, w.random.choice(["smtp_421", "timeout"])
    if w.chance(0.1):
        yield "!", "DEL", keys.breaker_key(channel)


def suppress(w: World) -> Move:
    key, field = w.suppressed()
    reason = w.random.choice(["smtp_550_5.1.1", "twilio_21610", "unsubscribed"])
    yield "!", *(("HDEL", key, field) if w.chance(0.3) else ("HSET", key, field, reason))


def keyring(w: World) -> Move:
    first, second = w.random.choice(["k1", "k2"]), w.random.choice(["", ",k1", ",k3"])
    stored_format = w.ms(1, 2, 2)
    yield "keyring", w.sealed(), first, stored_format
    yield "enroll", first + second, w.nonce(), w.ms(100, 60_000), stored_format
    if w.chance(0.3):
        yield "retire", first, w.ms(100, 60_000)
    if w.chance(0.05):
        yield "!", "HDEL", keys.KEYRING, "digest"


def reseal(w: World) -> Move:
    args: list[Arg] = []
    for _ in range(w.random.randint(0, 3)):
        place = w.place()
        key = w.random.choice([keys.recipients_key, keys.links_key])(*place.args)
        args += [key, "", w.blob(key)[-32:], w.sealed()]
    if w.chance(0.3):
        digest_key = w.redis.hget(keys.KEYRING, "digest") or b""
        args += [keys.KEYRING, "digest", digest_key[-32:], w.sealed()]
    yield "reseal", *args


def raise_alert(w: World) -> Move:
    alert = w.random.choice(["held|1", "funds|2"])
    known = w.redis.hget(keys.ALERTS, alert) or b""
    read = b"old" if w.chance(0.1) else known
    yield "alert", alert, read, w.random.choice(["", "told 17 1", "due 17 0"])


def audit(w: World) -> Move:
    length = w.redis.llen(keys.AUDIT) + (w.ms(-1, 1) if w.chance(0.2) else 0)
    yield "audit", length, f"entry {w.random.randrange(100)}"


MOVES: dict[Callable[[World], Move], int] = {
    submit: 8,
    work: 60,
    any_claim: 10,
    stale_worker: 8,
    late_facts: 12,
    wake: 8,
    steer: 8,
    cancel: 2,
    cancel_batch: 3,
    block: 4,
    edit: 5,
    retry: 14,
    resend: 10,
    reorder: 10,
    erase: 6,
    purge: 6,
    limit: 8,
    trip: 3,
    suppress: 4,
    keyring: 3,
    reseal: 3,
    raise_alert: 4,
    audit: 4,
}


def moves(w: World) -> Iterator[Move]:
    """Yield moves without end."""
    while True:
        [move] = w.random.choices(list(MOVES), list(MOVES.values()))
        yield move(w)
