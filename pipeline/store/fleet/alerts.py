"""Alerts in Redis: their records, what they are about, and which worker checks them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.domain.models import ChannelName
from pipeline.store import keys
from pipeline.store.campaigns import read_snapshots
from pipeline.store.client import Client
from pipeline.store.formats.alert_records import (
    Alert,
    AlertKind,
    AlertRecord,
    decode_alert,
    decode_record,
    encode_alert,
    encode_next,
    encode_record,
)
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.rate_limiter import Breaker, decode_breaker
from pipeline.store.scripts import Scripts, decode_hash, server_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertInputs:
    """All that alerts are about, at the server's time `now_ms`."""

    now_ms: int
    records: Mapping[Alert, AlertRecord]
    snapshots: Mapping[str, CampaignSnapshot]
    breakers: Mapping[str, Breaker]


class AlertStore:
    """Reads what alerts are about, and writes how far each is."""

    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._call = scripts.call

    async def acquire_turn(self, seconds: float) -> bool:
        """Return whether this worker checks now: one check per *seconds* in the whole fleet."""
        return bool(
            await self._redis.set(keys.ALERTS_CHECKED, 1, nx=True, px=round(seconds * 1000))
        )

    async def inputs(self) -> AlertInputs:
        """Read flags and counters of active campaigns, and of those that alerts are about."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.time()
            pipe.hgetall(keys.ALERTS)
            pipe.zrange(keys.ACTIVE, 0, -1)
            for channel in ChannelName:
                pipe.hgetall(keys.breaker_key(channel))
            time, stored, active, *breakers = await pipe.execute()
        records = _records(decode_hash(stored))
        serials = sorted(_campaigns(records) | {serial.decode() for serial in active})
        snapshots = await read_snapshots(self._redis, serials)
        return AlertInputs(
            now_ms=server_ms(time),
            records=records,
            snapshots=dict(zip(serials, snapshots, strict=True)),
            breakers=dict(zip(ChannelName, map(decode_breaker, breakers), strict=True)),
        )

    async def put(
        self, alert: Alert, read: AlertRecord | None, becomes: AlertRecord
    ) -> AlertRecord | None:
        """
        Replace the record of an alert if it is still what was *read* (None for no record).

        Returns it with its time, which is the server's; None if it was removed, or if another
        worker was faster.
        """
        known = encode_record(read) if read else ""
        reply = await self._call("alert", encode_alert(alert), known, encode_next(becomes))
        return decode_record(reply.decode()) if reply else None


def _records(stored: Mapping[str, str]) -> dict[Alert, AlertRecord]:
    return {decode_alert(field): decode_record(text) for field, text in stored.items()}


def _campaigns(alerts: Iterable[Alert]) -> set[str]:
    """Return the serials of the campaigns that *alerts* are about."""
    return {each.cause.subject for each in alerts if each.cause.kind is not AlertKind.CHANNEL}
