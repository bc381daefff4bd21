"""Where the installation stands, read from Redis at a bounded cost, whatever its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.batch import Lane
from pipeline.domain.codes import REASONS
from pipeline.domain.models import BatchState, ChannelName, DeliveryStatus
from pipeline.store import fleet_totals
from pipeline.store.codec import CHANNEL_LETTER
from pipeline.store.keys import SUPPRESSION_BUCKETS
from pipeline.store.snapshot import CampaignSnapshot
from worker.wiring.ledger import App

MOST_CAMPAIGNS = 500
_ALIVE_SECONDS = 15.0  # three heartbeats of a worker
_QUEUE = "claimcast"
LIMITS = ("orders", "reads", *(channel.value for channel in ChannelName))

LANES = {Lane.ORDER: "order", Lane.READ: "read", Lane.SEND: "send"}
_HOLDS = tuple(reason.code for reason in REASONS.values() if reason.kind == "hold")
_PEOPLE = ("reached", "not_reached", "open")
_LINKS = ("ordered", "received", "awaited", "missing", "assigned", "spare")
_FIELDS = [
    *("channels", "can", "fin", "pau", "start", "sub"),
    *(f"blk:{lane}" for lane in LANES),
    *(f"d:{status}" for status in DeliveryStatus),
    *(f"c:{letter}:{status}" for letter in CHANNEL_LETTER.values() for status in DeliveryStatus),
    *(f"b:{state}" for state in BatchState),
    *(f"p:{name}" for name in _PEOPLE),
    *(f"l:{name}" for name in _LINKS),
    *(f"h:{code}" for code in _HOLDS),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What does not belong to any one campaign; `now` is the server's time in seconds."""

    now: float
    active: Sequence[str]
    finished: Sequence[str]
    workers: Sequence[str]
    submits: int
    breakers: Mapping[ChannelName, tuple[int, float]]
    permits: Mapping[str, float]
    suppressed: int
    leases: int
    counted: Mapping[str, float]

    def campaigns(self) -> list[str]:
        """Return the campaigns that are counted: the active ones first, then the newest."""
        return [*self.active, *self.finished][:MOST_CAMPAIGNS]


@dataclass(frozen=True, slots=True)
class Standing:
    """One campaign; `due` is when the first batch of each lane is due, in s since the epoch."""

    snapshot: CampaignSnapshot
    due: Mapping[Lane, float]

    def lag(self, lane: Lane, now: float) -> float:
        """Return for how long work that may be done has waited for somebody to do it."""
        flags = self.snapshot
        if lane not in self.due or flags.paused or lane in flags.blocked:
            return 0.0
        # A score of 0 means "at once", and nothing was due before there was a campaign.
        began = flags.begun_ms / 1000
        return max(0.0, now - max(self.due[lane], began))


async def read_fleet(app: App) -> Fleet:
    counted, leases = await fleet_totals.totals(app.redis), await fleet_totals.leases(app.redis)
    async with app.redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zrange("cc:active", 0, -1)
        pipe.hvals("cc:ids")
        pipe.zrange("cc:workers", 0, -1, withscores=True)
        pipe.zcard(_QUEUE)
        for channel in ChannelName:
            pipe.hmget(f"cc:breaker:{channel}", ["failures", "until"])
        for name in LIMITS:
            pipe.hmget(f"cc:gcra:{name}", ["next", "hush"])
        for bucket in range(SUPPRESSION_BUCKETS):
            pipe.hlen(f"cc:suppressed:{bucket}")
        (seconds, micros), active, ids, workers, submits, *rest = await pipe.execute()
    now = seconds + micros / 1e6
    breakers, rest = rest[: len(ChannelName)], rest[len(ChannelName) :]
    permits, sizes = rest[: len(LIMITS)], rest[len(LIMITS) :]
    running = [serial.decode() for serial in active]
    alive = [name.decode() for name, beat in workers if beat > now - _ALIVE_SECONDS]
    known = sorted({serial.decode() for serial in ids} - set(running), key=int, reverse=True)
    return Fleet(
        now=now,
        active=running,
        finished=known,
        workers=alive,
        submits=submits,
        breakers={
            channel: (int(failures or 0), max(0.0, int(until or 0) / 1e3 - now))
            for channel, (failures, until) in zip(ChannelName, breakers, strict=True)
        },
        permits={
            name: max(0.0, max(int(moment or 0) for moment in moments) / 1e6 - now)
            for name, moments in zip(LIMITS, permits, strict=True)
        },
        suppressed=sum(sizes),
        leases=sum(leases.get(name, 0) for name in alive),
        counted=counted,
    )


async def read_campaigns(app: App, fleet: Fleet) -> tuple[list[Standing], int]:
    """Return where each campaign stands, and how many units wait in the workers' queues."""
    serials = fleet.campaigns()
    async with app.redis.pipeline(transaction=False) as pipe:
        for serial in serials:
            pipe.hmget(f"cc:{serial}", _FIELDS)
            for lane in LANES:
                pipe.zrange(f"cc:{serial}:due:{lane}", 0, 0, withscores=True)
        for worker in fleet.workers:
            pipe.zcard(f"{_QUEUE}:worker:{worker}")
        replies = iter(await pipe.execute())
    standings = []
    for serial in serials:
        values = zip(_FIELDS, next(replies), strict=True)
        fields = {name: value.decode() for name, value in values if value is not None}
        first = {lane: next(replies) for lane in LANES}
        due = {lane: found[0][1] / 1e3 for lane, found in first.items() if found}
        snapshot = CampaignSnapshot(serial, fields, round(fleet.now * 1000))
        if "channels" in fields:  # else it was removed between the two looks
            standings.append(Standing(snapshot, due))
    return standings, sum(replies)
