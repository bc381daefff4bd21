"""The figures of the whole installation, read at a bounded cost, whatever its size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.batch import WORKED_LANES, Lane
from pipeline.domain.codes import REASONS
from pipeline.domain.models import ChannelName
from pipeline.domain.rate import FleetLimit
from pipeline.store import keys
from pipeline.store.client import Client, Pipeline
from pipeline.store.fleet.workers import ALIVE_SECONDS
from pipeline.store.formats.snapshot import CampaignSnapshot, summary_fields
from pipeline.store.scripts import decode_hash, server_seconds

LIMIT_NAMES = (
    FleetLimit.ORDERS.value,
    FleetLimit.READS.value,
    *(channel.value for channel in ChannelName),
)
"""The limiters that the fleet shares; those of a campaign are not among them."""

_HOLDS = tuple(reason.code for reason in REASONS.values() if reason.kind == "hold")
_FIELDS = summary_fields(_HOLDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReading:
    """
    What does not belong to any one campaign; `now` is the server's time in seconds.

    Campaigns are named by their serials, the `finished` ones newest first. `breakers` has the
    failures in a row of each provider and for how many seconds its breaker is open, `permits` the
    seconds until the next permit of each limiter, `counted` what all workers ever counted, by the
    names of `Measurements`.
    """

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


@dataclass(frozen=True, slots=True)
class CampaignReading:
    """One campaign; `due` is when the first batch of each lane is due, in s since the epoch."""

    snapshot: CampaignSnapshot
    due: Mapping[Lane, float]


class Readings:
    """What `/metrics` shows: a round trip for the fleet, and one for the campaigns."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def fleet(self) -> FleetReading:
        """Return what does not belong to any one campaign, in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipe:
            _queue_fleet_reads(pipe)
            return _fleet(iter(await pipe.execute()))

    async def campaigns(
        self, serials: Sequence[str], fleet: FleetReading
    ) -> tuple[list[CampaignReading], int]:
        """
        Return where each campaign stands, and how many units wait in the workers' queues.

        A campaign that was removed after *fleet* was read is left out.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            for serial in serials:
                pipe.hmget(keys.campaign_key(serial), _FIELDS)
                for lane in WORKED_LANES:
                    pipe.zrange(keys.due_key(serial, lane), 0, 0, withscores=True)
            for worker in fleet.workers:
                pipe.zcard(keys.worker_queue_key(worker))
            replies = iter(await pipe.execute())
        now_ms = round(fleet.now * 1000)
        found = [_campaign(serial, replies, now_ms) for serial in serials]
        queued = sum(replies)
        return [reading for reading in found if reading.snapshot.channels], queued


def _queue_fleet_reads(pipe: Pipeline) -> None:
    pipe.hgetall(keys.STATS)
    pipe.hgetall(keys.LEASES)
    pipe.time()
    pipe.zrange(keys.ACTIVE, 0, -1)
    pipe.hvals(keys.IDS)
    pipe.zrange(keys.WORKERS, 0, -1, withscores=True)
    pipe.zcard(keys.SUBMIT_QUEUE)
    for channel in ChannelName:
        pipe.hmget(keys.breaker_key(channel), ["failures", "until"])
    for name in LIMIT_NAMES:
        pipe.hmget(keys.limiter_key(name), ["next", "hush"])
    for bucket in range(keys.SUPPRESSION_BUCKETS):
        pipe.hlen(keys.suppressed_key(bucket))


def _fleet(replies: Iterator[Any]) -> FleetReading:
    """Read the replies in the order of `_queue_fleet_reads`."""
    counted, leases = decode_hash(next(replies)), decode_hash(next(replies))
    now = server_seconds(next(replies))
    active = [serial.decode() for serial in next(replies)]
    serials = {serial.decode() for serial in next(replies)}
    alive = [name.decode() for name, beat in next(replies) if beat > now - ALIVE_SECONDS]
    return FleetReading(
        now=now,
        active=active,
        finished=sorted(serials - set(active), key=int, reverse=True),
        workers=alive,
        submits=next(replies),
        breakers={channel: _breaker(next(replies), now) for channel in ChannelName},
        permits={name: _next_permit(next(replies), now) for name in LIMIT_NAMES},
        suppressed=sum(replies),
        leases=sum(int(leases.get(name, 0)) for name in alive),
        counted={name: float(amount) for name, amount in counted.items()},
    )


def _breaker(reply: Sequence[bytes | None], now: float) -> tuple[int, float]:
    failures, until_ms = (int(value or 0) for value in reply)
    return failures, max(0.0, until_ms / 1e3 - now)


def _next_permit(reply: Sequence[bytes | None], now: float) -> float:
    return max(0.0, max(int(moment_us or 0) for moment_us in reply) / 1e6 - now)


def _campaign(serial: str, replies: Iterator[Any], now_ms: int) -> CampaignReading:
    snapshot = CampaignSnapshot.of_some(serial, _FIELDS, next(replies), now_ms)
    first = {lane: next(replies) for lane in WORKED_LANES}
    due = {lane: found[0][1] / 1e3 for lane, found in first.items() if found}
    return CampaignReading(snapshot, due)
