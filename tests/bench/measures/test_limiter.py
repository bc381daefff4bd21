"""What the limiter gives is counted whole, though twenty tasks take from it at once."""

from redis.asyncio import Redis

from bench.measures.limiter import permits_per_second
from pipeline.domain.rate import Rate
from pipeline.store.rate_limiter import Limiter
from pipeline.store.scripts import Scripts

RATE = 400


async def test_every_permit_is_counted(redis: Redis) -> None:
    limiter = Limiter(redis, Scripts(redis), {"bench": Rate.parse(f"{RATE}/s")})
    assert RATE * 0.6 < await permits_per_second(limiter, 1, seconds=0.5) < RATE * 1.4
