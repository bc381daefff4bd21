"""What the limiter gives is counted whole, though twenty tasks take from it at once."""

import time
from collections.abc import Mapping
from types import MappingProxyType

from bench.measures.limiter import permits_per_second
from pipeline.domain.metrics import Measurements
from pipeline.domain.rate import Rate
from pipeline.store.rate_limiter import Limiter, Permits
from pipeline.store.scripts import Scripts
from tests.support.redis import Redis

RATE = 400
SECONDS = 0.5


class Counting(Limiter):
    """Notes what it gives."""

    given = 0

    async def acquire(
        self, name: str, wanted: int = 1, also: Mapping[str, Rate | None] = MappingProxyType({})
    ) -> Permits:
        found = await super().acquire(name, wanted, also)
        self.given += found.granted
        return found


async def test_every_permit_is_counted(redis: Redis) -> None:
    limits = {"bench": Rate.parse(f"{RATE}/s")}
    limiter = Counting(redis, Scripts(redis), limits, Measurements())
    began = time.monotonic()
    rate = await permits_per_second(limiter, 1, seconds=SECONDS)
    took = time.monotonic() - began
    # A count in between takes less time than ours, and at least what was asked for; the
    # twenty permits before the clock starts are not counted.
    assert (limiter.given - 20) / took <= rate <= limiter.given / SECONDS
