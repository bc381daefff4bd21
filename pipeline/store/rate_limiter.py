"""Rate limits and breakers, shared by the fleet, on the server's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.domain.metrics import Measurements
from pipeline.domain.rate import Rate
from pipeline.store.client import Client
from pipeline.store.keys import LIMITS, breaker_key, limiter_key
from pipeline.store.scripts import Scripts, decode_hash

_NOTHING_ELSE: Mapping[str, Rate | None] = MappingProxyType({})
_LONGEST_COOLDOWN = 3600.0  # a Retry-After is clamped to an hour (docs/internals/ordering.md)


@dataclass(frozen=True, slots=True)
class Permits:
    """`granted` permits, or none and the seconds until the next one."""

    granted: int
    wait: float


@dataclass(frozen=True, slots=True)
class Breaker:
    """A provider's breaker as `status` shows it; `until_ms` is 0 while it is closed."""

    failures: int
    reason: str
    until_ms: int


def decode_breaker(reply: dict[bytes, bytes]) -> Breaker:
    """Return the breaker that a hash is of; none is a closed one."""
    fields = decode_hash(reply)
    return Breaker(
        int(fields.get("failures", 0)), fields.get("reason", ""), int(fields.get("until", 0))
    )


class Limiter:
    """
    Grants permits of named limiters.

    *defaults* come from the environment; what was stored with `set_rate` wins over them. A limiter
    of one campaign is named `<serial>:<channel>` and its rate is passed to `acquire`.
    """

    def __init__(
        self,
        redis: Client,
        scripts: Scripts,
        defaults: Mapping[str, Rate],
        measurements: Measurements,
    ) -> None:
        self._redis = redis
        self._call = scripts.call
        self._defaults = defaults
        self._measurements = measurements

    async def acquire(
        self, name: str, wanted: int = 1, also: Mapping[str, Rate | None] = _NOTHING_ELSE
    ) -> Permits:
        """Acquire up to *wanted* permits, as many as *name* and all of *also* can give now."""
        args: list[str | float] = [name, self._defaults[name].interval_us]
        for other, rate in also.items():
            if rate is not None:
                args += [other, rate.interval_us]
        granted, wait_us = await self._call("permit", wanted, *args)
        permits = Permits(int(granted), int(wait_us) / 1e6)
        self._measurements.permits(name, permits.granted, permits.wait)
        return permits

    async def cool_down(self, name: str, seconds: float) -> None:
        """Grant no permit of *name* for *seconds*; never shortens a longer cooldown."""
        await self._call("cooldown", name, round(min(seconds, _LONGEST_COOLDOWN) * 1e6))

    async def trip(
        self,
        channel: str,
        reason: str,
        *,
        threshold: int = 5,
        first: float = 2,
        longest: float = 300,
    ) -> float:
        """Count a failure of the provider itself; return the seconds that the breaker opens."""
        open_us = await self._call("trip", channel, threshold, first * 1e6, longest * 1e6, reason)
        seconds = float(open_us) / 1e6
        if seconds:
            await self.cool_down(channel, seconds)
        return seconds

    async def close_breaker(self, channel: str) -> None:
        """Close the breaker: the provider accepted a message. May be called twice."""
        await self._redis.delete(breaker_key(channel))

    async def breaker(self, channel: str) -> Breaker:
        return decode_breaker(await self._redis.hgetall(breaker_key(channel)))

    async def set_rate(self, name: str, rate: Rate) -> None:
        """Let *rate* win over the default of a limiter from now on, in the whole fleet."""
        await self._redis.hset(LIMITS, name, f"{rate.interval_us!r}|{rate}")
        await self._drop_booking(name)

    async def unset_rate(self, name: str) -> bool:
        """Return to the default of a limiter; False if no rate was set."""
        removed = bool(await self._redis.hdel(LIMITS, name))
        await self._drop_booking(name)
        return removed

    async def _drop_booking(self, name: str) -> None:
        # Until `next` no worker would even ask, however far ahead the old rate had booked.
        await self._redis.hdel(limiter_key(name), "next")

    async def rates(self) -> dict[str, tuple[Rate, bool]]:
        """Return every limiter's rate, and whether it was set at run time."""
        stored = decode_hash(await self._redis.hgetall(LIMITS))
        found = {name: (rate, False) for name, rate in self._defaults.items()}
        found |= {
            name: (Rate.parse(text.partition("|")[2]), True) for name, text in stored.items()
        }
        return found
