"""Records of alerts in the server: read as values, and moved on by one worker at a time."""

import pytest

from pipeline.domain.models import ChannelName
from pipeline.store import keys
from pipeline.store.fleet.alerts import AlertStore
from pipeline.store.formats.alert_records import (
    Alert,
    AlertCause,
    AlertKind,
    AlertPhase,
    AlertRecord,
)
from pipeline.store.rate_limiter import Breaker
from pipeline.store.scripts import Scripts
from tests.support.redis import Redis

ALERT = Alert("url", AlertCause("7", AlertKind.ORDERING, "credentials"))
FIELD = "url|7|o|credentials"


@pytest.fixture
def alerts(redis: Redis) -> AlertStore:
    return AlertStore(redis, Scripts(redis))


async def test_an_alert_that_is_as_it_was_read_is_moved_on(
    alerts: AlertStore, redis: Redis
) -> None:
    new = AlertRecord(AlertPhase.SEEN, at_ms=5, since_ms=5)
    seen = await alerts.put(ALERT, None, new)
    assert seen is not None
    assert (seen.phase, seen.since_ms, seen.tries) == (AlertPhase.SEEN, 5, 0)
    assert await redis.hget(keys.ALERTS, FIELD) == f"{seen.at_ms} seen 5 0".encode()

    assert await alerts.put(ALERT, None, new) is None, "somebody was faster"
    told = await alerts.put(ALERT, seen, seen.becomes(AlertPhase.NOTIFYING, 2))
    assert told is not None
    assert await redis.hget(keys.ALERTS, FIELD) == f"{told.at_ms} telling 5 2".encode()
    assert await alerts.put(ALERT, seen, seen.becomes(AlertPhase.REMOVED)) is None
    assert await redis.hexists(keys.ALERTS, FIELD)
    assert await alerts.put(ALERT, told, told.becomes(AlertPhase.REMOVED)) is None
    assert not await redis.hexists(keys.ALERTS, FIELD)


async def test_a_sight_has_active_campaigns_and_those_that_alerts_are_about(
    alerts: AlertStore, redis: Redis
) -> None:
    for serial in ("1", "7", "9"):
        await redis.hset(keys.campaign_key(serial), "id", f"c{serial}")
    await redis.zadd(keys.ACTIVE, {"1": 1})
    await redis.hset(
        keys.ALERTS, mapping={FIELD: "6 told 5 2", "email|sms|channel|": "3 seen 3 0"}
    )
    await redis.hset(keys.breaker_key("sms"), mapping={"failures": 9, "reason": "x", "until": 4})
    found = await alerts.inputs()
    assert found.records == {
        ALERT: AlertRecord(AlertPhase.NOTIFIED, 6, 5, 2),
        Alert("email", AlertCause("sms", AlertKind.CHANNEL, "")): AlertRecord(
            AlertPhase.SEEN, 3, 3, 0
        ),
    }
    assert {serial: each.campaign_id for serial, each in found.snapshots.items()} == {
        "1": "c1",
        "7": "c7",
    }
    assert found.breakers == {channel: Breaker(0, "", 0) for channel in ChannelName} | {
        ChannelName.SMS: Breaker(9, "x", 4)
    }


async def test_many_campaigns_are_read_a_hundred_in_a_round_trip(
    alerts: AlertStore, redis: Redis
) -> None:
    for number in range(1, 252):
        await redis.hset(keys.campaign_key(str(number)), "id", f"c{number}")
        await redis.zadd(keys.ACTIVE, {str(number): number})
    before = await _calls(redis, "exec")
    found = await alerts.inputs()
    assert await _calls(redis, "exec") == before + 1 + 3
    assert {serial: each.campaign_id for serial, each in found.snapshots.items()} == {
        str(number): f"c{number}" for number in range(1, 252)
    }


async def _calls(redis: Redis, command: str) -> int:
    commands = await redis.info("commandstats")
    return int(commands.get(f"cmdstat_{command}", {}).get("calls", 0))
