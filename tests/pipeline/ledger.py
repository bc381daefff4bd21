"""A ledger in a real Valkey, campaigns to put into it, and a recount that trusts no counter."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.campaign import Campaign
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import ChannelName, DeliveryStatus, Recipient
from pipeline.domain.rate import Rate
from pipeline.domain.vault import Vault
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.codec import CHANNEL, CHANNEL_LETTER
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.formats.records import DeliveryRecord, initial_records, parse_record
from pipeline.store.keys import due_key
from pipeline.store.rate_limiter import Limiter
from pipeline.store.scripts import Scripts, decode_hash
from pipeline.store.staging import Committed, Staging, Totals, plan_of
from tests.pipeline.stores import Stores
from tests.support.redis import Redis

LEASE = 600.0
"""Seconds; longer than any test, so that a lease ends only if a test ends it."""
EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
UNLIMITED = Rate.parse("unlimited")
LANES = (Lane.ORDER, Lane.READ, Lane.SEND, Lane.HELD)


@dataclass(frozen=True, slots=True)
class Ledger(Stores):
    redis: Redis
    vault: Vault
    campaigns: CampaignStore
    batches: BatchStore
    deliveries: DeliveryStore
    limiter: Limiter
    audit: AuditTrail

    async def fields(self, serial: str, batch: int) -> dict[str, str]:
        return decode_hash(await self.redis.hgetall(f"cc:{serial}:b:{batch}"))

    async def counters(self, serial: str) -> dict[str, str]:
        return decode_hash(await self.redis.hgetall(f"cc:{serial}"))

    async def counted(self, serial: str, *names: str) -> list[int]:
        found = await self.counters(serial)
        return [int(found.get(name, 0)) for name in names]


def open_ledger(redis: Redis, **rates: str) -> Ledger:
    """Return the stores over one connection pool; limits are off unless given."""
    vault = Vault([Fernet.generate_key().decode()], digest_key=b"k" * 32)
    scripts = Scripts(redis)
    names = ("orders", "reads", "email", "sms")
    limits = dict.fromkeys(names, UNLIMITED) | {n: Rate.parse(r) for n, r in rates.items()}
    return Ledger(
        redis,
        vault,
        CampaignStore(redis, scripts, vault),
        BatchStore(redis, scripts, vault),
        DeliveryStore(redis, scripts),
        Limiter(redis, scripts, limits, Measurements()),
        AuditTrail(redis, scripts, vault),
    )


def a_campaign(
    campaign_id: str = "c",
    *,
    channels: Sequence[str] = ("email",),
    mode: str = "first",
    email_uncertain: str = "resend",
    sms_uncertain: str = "hold",
    **more: Any,  # noqa: ANN401 - whatever a campaign file may hold
) -> Campaign:
    data: dict[str, Any] = {
        "id": campaign_id,
        "name": "A campaign",
        "reward": {"product_id": "CVS", "value": "10.00"},
        "delivery": {"channels": list(channels), "mode": mode},
        "email": {"subject": "S", "text": "{{ link }}", "on_uncertain": email_uncertain},
        "sms": {"body": "{{ link }}", "on_uncertain": sms_uncertain},
    }
    return Campaign.model_validate(data | more)


def people(number: int, *, first: int = 0, phone: bool = False) -> list[Recipient]:
    return [
        Recipient(
            id=f"r-{i}",
            email=f"person{i}@example.com",
            phone=f"+1555{i:07d}" if phone else "",
            name=f"Person {i}",
        )
        for i in range(first, first + number)
    ]


async def stage(
    ledger: Ledger, campaign: Campaign, batches: Sequence[Sequence[Recipient]], nonce: str = "n"
) -> tuple[Staging, Totals]:
    """Write all batches into a new staging area, without the commit."""
    opened = await ledger.staging.begin(campaign.id, nonce, expected_rows=100)
    assert isinstance(opened, Staging), opened
    rows = deliveries = 0
    size = max(len(batch) for batch in batches)
    for number, batch in enumerate(batches, start=1):
        plan, first = plan_of(campaign, batch), (number - 1) * size
        assert await ledger.staging.stage(opened, number, batch, first, plan) is None
        rows += len(batch)
        deliveries += _planned(campaign, plan)
    return opened, Totals(
        recipients=rows,
        deliveries=deliveries,
        batches=len(batches),
        batch_size=size,
        content="content",
    )


def _planned(campaign: Campaign, plan: str) -> int:
    delivery = campaign.delivery
    return sum(
        len(initial_records(delivery.channels, delivery.mode, plan, index))
        for index in range(len(plan))
    )


async def submit(
    ledger: Ledger, campaign: Campaign, batches: Sequence[Sequence[Recipient]] | int = 1
) -> str:
    """Commit a campaign (a number stands for so many batches of one person); return its serial."""
    if isinstance(batches, int):
        batches = [people(1, first=number) for number in range(batches)]
    staging, totals = await stage(ledger, campaign, batches)
    committed = await ledger.staging.commit(staging, campaign, totals)
    assert isinstance(committed, Committed)
    return committed.serial


async def pump(ledger: Ledger, number: int = 100) -> list[Unit]:
    return await ledger.batches.pump(
        order=number, read=number, send=number, dispatch_seconds=LEASE
    )


async def claim(ledger: Ledger, unit: Unit, nonce: str = "w") -> Claim | None:
    return await ledger.batches.claim(unit, nonce=nonce, lease_seconds=LEASE)


async def taken(ledger: Ledger, serial: str, batch: int = 1, nonce: str = "w") -> Claim:
    """Dispatch and claim one batch, as if its time had come."""
    await make_due(ledger, serial)
    for unit in await pump(ledger):
        if (unit.serial, unit.batch) == (serial, batch):
            found = await claim(ledger, unit, nonce)
            assert found is not None
            return found
    message = f"batch {batch} is not due"
    raise AssertionError(message)


async def placed(
    ledger: Ledger, serial: str, batch: int = 1, order_id: str = "", *, nonce: str = "w"
) -> Claim:
    """Bring a planned batch to "ordered" and return the claim that now reads."""
    found = await taken(ledger, serial, batch, nonce)
    assert found.unit.lane is Lane.ORDER
    posts = await ledger.batches.order_intent(
        found, po_number=f"PO-{serial}-{batch}", payload_hash="h", nonce=nonce
    )
    assert posts is not None
    return await ledger.batches.order_placed(found, order_id or f"order-{serial}-{batch}")


async def fulfilled(ledger: Ledger, serial: str, batch: int = 1) -> Claim:
    """Bring a planned batch to "fulfilled" and return a claim that may send."""
    found = await placed(ledger, serial, batch, nonce="o")
    links = links_of(serial, batch, found.batch.size)
    assert await ledger.batches.links_received(found, links) is None
    return await taken(ledger, serial, batch)


def links_of(serial: str, batch: int, number: int) -> list[str]:
    return [f"https://claim.example/{serial}-{batch}-{i}" for i in range(number)]


async def retried(
    ledger: Ledger,
    serial: str,
    *,
    failed: bool = False,
    uncertain: bool = False,
    held: bool = False,
    adopt: bool = False,
) -> tuple[int, int]:
    return await ledger.batches.retry(
        serial, 1, failed=failed, uncertain=uncertain, held=held, adopt=adopt
    )


async def held(ledger: Ledger, found: Claim, reason: str, missing: int = 0) -> None:
    await ledger.batches.hold(found, reason, missing=missing, reread=0)


async def make_due(ledger: Ledger, serial: str) -> None:
    """Let the time come for every batch that nobody holds or whose lease has lapsed."""
    keys = [due_key(serial, lane) for lane in LANES]
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.zrange(key, 0, -1)
        for key, standing in zip(keys, await pipe.execute(), strict=True):
            if standing:
                pipe.zadd(key, dict.fromkeys(standing, 0))
        await pipe.execute()


async def lapse(ledger: Ledger, serial: str, batch: int = 1) -> None:
    """Let the lease of a batch run out, as if its worker had been silent for too long."""
    if await ledger.redis.hexists(f"cc:{serial}:b:{batch}", "tok"):
        await ledger.redis.hset(f"cc:{serial}:b:{batch}", "lu", "1")
    await make_due(ledger, serial)


# The recount ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What the records of all batches add up to, and where each batch stands."""

    counters: Counter[str]
    lanes: dict[int, list[Lane]]
    records: dict[tuple[int, int], tuple[DeliveryRecord, ...]]
    states: dict[int, str]
    begun: set[int]


async def recount(ledger: Ledger, serial: str) -> Counted:
    campaign = await ledger.counters(serial)
    channels = [CHANNEL[letter] for letter in campaign["channels"]]
    numbers = range(1, int(campaign["nb"]) + 1)
    async with ledger.redis.pipeline(transaction=True) as pipe:
        for number in numbers:
            pipe.hgetall(f"cc:{serial}:b:{number}")
            pipe.hgetall(f"cc:{serial}:d:{number}")
            for lane in LANES:
                pipe.zscore(due_key(serial, lane), str(number))
        replies = iter(await pipe.execute())
    found = Counted(Counter(), {}, {}, {}, set())
    for number in numbers:
        fields, ledger_fields = decode_hash(next(replies)), decode_hash(next(replies))
        scores = {lane: next(replies) for lane in LANES}
        found.lanes[number] = [lane for lane, score in scores.items() if score is not None]
        found.states[number] = fields["st"]
        posted = fields["st"] == "planned" and fields.get("posts", "0") != "0"
        if posted or "tok" in fields:
            found.begun.add(number)
        for index in range(len(fields["plan"])):
            text = ledger_fields.get(str(index))
            found.records[number, index] = (
                parse_record(text)
                if text
                else initial_records(channels, campaign["mode"], fields["plan"], index)
            )
        _count_batch(found, number, fields)
    return found


def _count_batch(found: Counted, number: int, fields: dict[str, str]) -> None:
    counters, size = found.counters, len(fields["plan"])
    ordered = int(fields.get("qty", size))  # some people of a dead order moved on
    people = [found.records[number, index] for index in range(size)]
    counters["b:" + fields["st"]] += 1
    if fields["st"] == "held":
        counters["h:" + fields["why"]] += 1
    for deliveries in people:
        counters["p:" + _person(deliveries)] += 1
        counters.update(f"d:{d.status.value}" for d in deliveries)
        counters["d:uncertain:forgotten"] += sum(
            d.status is DeliveryStatus.UNCERTAIN and d.code == "forgotten" for d in deliveries
        )
        tried = [d for d in deliveries if d.status is not DeliveryStatus.PENDING]
        counters.update(f"c:{CHANNEL_LETTER[d.channel]}:{d.status.value}" for d in tried)
    if "oid" in fields:
        counters["l:ordered"] += ordered
        counters["l:missing"] += int(fields.get("missing", 0))
    if "tf" in fields:
        counters["l:received"] += size
        gone = {int(pair.partition(":")[0]) for pair in fields.get("gone", "").split()}
        known = [people[index] for index in range(size) if index not in gone]
        spare = len(known) if "spare" in fields else _never_started(known, fields["st"])
        counters["l:spare"] += spare
        counters["l:assigned"] += size - spare
    elif "oid" in fields:
        counters["l:awaited"] += ordered - int(fields.get("missing", 0))


def _never_started(people: Sequence[tuple[DeliveryRecord, ...]], state: str) -> int:
    if state != "cancelled":
        return 0
    return sum(1 for deliveries in people if not any(d.attempt for d in deliveries))


def _person(deliveries: Sequence[DeliveryRecord]) -> str:
    left = {DeliveryStatus.SKIPPED, DeliveryStatus.UNCERTAIN}
    excused = [d for d in deliveries if d.code == "forgotten" and d.status in left]
    statuses = {d.status for d in deliveries if d not in excused}
    if statuses & {DeliveryStatus.SENT, DeliveryStatus.DELIVERED}:
        return "reached"
    if statuses & OPEN:
        return "open"
    return "reached" if excused or DeliveryStatus.SUPPRESSED in statuses else "not_reached"


OPEN = {DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.UNCERTAIN}
_COUNTED = ("d:", "c:", "p:", "b:", "l:", "h:")
_STANDS = {
    "planned": {Lane.ORDER},
    "ordered": {Lane.READ},
    "fulfilled": {Lane.SEND},
    "held": {Lane.HELD, Lane.READ},
}


async def assert_sound(ledger: Ledger, serial: str) -> Counted:
    """Check what must hold after every single step, whatever happened before."""
    found = await recount(ledger, serial)
    stored = await ledger.counters(serial)
    kept = {k: int(v) for k, v in stored.items() if k[:2] in _COUNTED and v != "0"}
    assert kept == {k: v for k, v in found.counters.items() if v}
    get = found.counters.get
    assert sum(get(f"p:{name}", 0) for name in ("reached", "not_reached", "open")) == int(
        stored["n"]
    )
    assert get("l:ordered", 0) == sum(get(f"l:{n}", 0) for n in ("received", "awaited", "missing"))
    assert get("l:received", 0) == get("l:assigned", 0) + get("l:spare", 0)
    for number, state in found.states.items():
        _assert_stands(number, state, found.lanes[number], cancelled="can" in stored)
    begun = await ledger.redis.smembers(f"cc:{serial}:begun")
    assert set(map(int, begun)) == found.begun, "what goes first is not what was begun"
    active = await ledger.redis.zscore("cc:active", serial) is not None
    unfinished = any(state in _STANDS for state in found.states.values())
    assert active or not unfinished, "nobody looks at a campaign with unfinished batches"
    assert not ("fin" in stored and unfinished), "finished with unfinished batches"
    return found


def _assert_stands(number: int, state: str, lanes: list[Lane], *, cancelled: bool) -> None:
    if state not in _STANDS:
        assert lanes == [], f"batch {number} is {state} and stands in {lanes}"
        return
    assert len(lanes) == 1, f"batch {number} ({state}) stands in {lanes}"
    if cancelled and state == "held":
        assert lanes[0] is not Lane.HELD, f"nobody looks at the held batch {number} any more"
    else:
        assert lanes[0] in _STANDS[state], f"batch {number} ({state}) stands in {lanes}"
