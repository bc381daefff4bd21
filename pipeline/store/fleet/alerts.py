"""Alerts in Redis: what there is to tell, and who tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.models import ChannelName
from pipeline.store import keys
from pipeline.store.client import Client
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.rate_limiter import Breaker
from pipeline.store.scripts import Scripts, server_ms, texts

_AT_ONCE = 100  # campaigns read in one round trip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All that alerts are about, at one moment of server time; *records* as they are stored."""

    now_ms: int
    records: Mapping[str, str]
    snapshots: Mapping[str, CampaignSnapshot]
    breakers: Mapping[str, Breaker]


class AlertStore:
    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._run = scripts.run

    async def turn(self, seconds: float) -> bool:
        """Return whether nobody has looked for *seconds*: one look of the whole fleet will do."""
        return bool(await self._redis.set(keys.ALERTS_TURN, 1, nx=True, px=round(seconds * 1000)))

    async def sight(self) -> Sight:
        """Read flags and counters of active campaigns, and of those that alerts are about."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.time()
            pipe.hgetall(keys.ALERTS)
            pipe.zrange(keys.ACTIVE, 0, -1)
            for channel in ChannelName:
                pipe.hgetall(keys.breaker_key(channel))
            time, stored, active, *breakers = await pipe.execute()
        now_ms = server_ms(time)
        records = texts(stored)
        subjects = {field.split("|")[1] for field in records} - set(ChannelName)
        serials = sorted(subjects | {serial.decode() for serial in active})
        return Sight(
            now_ms=now_ms,
            records=records,
            snapshots=await self._snapshots(serials, now_ms),
            breakers=dict(zip(ChannelName, map(_breaker, breakers), strict=True)),
        )

    async def put(self, field: str, read: str, becomes: str) -> str | None:
        """
        Replace the record of an alert if it is still what was *read* ('' for none).

        Returns it with its time; '' if it was forgotten; None if somebody else was faster.
        """
        reply: bytes | None = await self._run("alert", field, read, becomes)
        return None if reply is None else reply.decode()

    async def _snapshots(self, serials: Sequence[str], now_ms: int) -> dict[str, CampaignSnapshot]:
        found: dict[str, CampaignSnapshot] = {}
        for start in range(0, len(serials), _AT_ONCE):
            some = serials[start : start + _AT_ONCE]
            async with self._redis.pipeline(transaction=False) as pipe:
                for serial in some:
                    pipe.hgetall(keys.campaign_key(serial))
                for serial, fields in zip(some, await pipe.execute(), strict=True):
                    found[serial] = CampaignSnapshot(serial, texts(fields), now_ms)
        return found


def _breaker(reply: dict[bytes, bytes]) -> Breaker:
    fields = texts(reply)
    return Breaker(
        int(fields.get("failures", 0)), fields.get("reason", ""), int(fields.get("until", 0))
    )
