"""What the workers counted, added up in Redis for whoever serves `/metrics`."""

from collections.abc import Mapping

from redis import RedisError
from redis.asyncio import Redis

from pipeline.domain.metrics import Measurements
from pipeline.store.scripts import texts

_TOTALS = "cc:stats"
_LEASES = "cc:leases"


async def add(redis: "Redis", worker: str, measurements: Measurements, *, leases: int) -> None:
    """
    Add what *worker* counted since the last call, and say how many leases it holds.

    Raises RedisError or OSError; then the numbers come with the next call. If only the answer was
    lost they count twice, so the totals are for watching, not for accounting: that is the ledger.
    """
    taken = measurements.take()
    try:
        async with redis.pipeline(transaction=True) as pipe:
            pipe.hset(_LEASES, worker, str(leases))
            for name, amount in taken.items():
                if isinstance(amount, int):
                    pipe.hincrby(_TOTALS, name, amount)
                else:
                    pipe.hincrbyfloat(_TOTALS, name, amount)
            await pipe.execute()
    except (RedisError, OSError):
        measurements.put_back(taken)
        raise


async def forget(redis: "Redis", worker: str) -> None:
    """Take a worker that is gone out of the count of leases; what it counted stays."""
    await redis.hdel(_LEASES, worker)  # type: ignore[misc]


async def totals(redis: "Redis") -> Mapping[str, float]:
    """Return what all workers ever counted, by the names of `Measurements`."""
    found = texts(await redis.hgetall(_TOTALS))  # type: ignore[misc]
    return {name: float(amount) for name, amount in found.items()}


async def leases(redis: "Redis") -> Mapping[str, int]:
    """Return the leases that each worker said it holds."""
    found = texts(await redis.hgetall(_LEASES))  # type: ignore[misc]
    return {worker: int(number) for worker, number in found.items()}
