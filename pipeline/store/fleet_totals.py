"""What the workers counted, added up in Redis for whoever serves `/metrics`."""

from collections.abc import Mapping

from redis import RedisError

from pipeline.domain.metrics import Measurements
from pipeline.store.client import Client
from pipeline.store.scripts import texts

_TOTALS = "cc:stats"
_LEASES = "cc:leases"


async def add(redis: Client, worker: str, measurements: Measurements, *, leases: int) -> None:
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


async def forget(redis: Client, worker: str) -> None:
    """Take a worker that is gone out of the count of leases; what it counted stays."""
    await redis.hdel(_LEASES, worker)


async def totals(redis: Client) -> Mapping[str, float]:
    """Return what all workers ever counted, by the names of `Measurements`."""
    found = texts(await redis.hgetall(_TOTALS))
    return {name: float(amount) for name, amount in found.items()}


async def leases(redis: Client) -> Mapping[str, int]:
    """Return the leases that each worker said it holds."""
    found = texts(await redis.hgetall(_LEASES))
    return {worker: int(number) for worker, number in found.items()}
