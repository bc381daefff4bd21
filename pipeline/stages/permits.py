"""One permit for one call of the rewards API."""

import asyncio
from collections.abc import Mapping

from pipeline.domain.rate import FleetLimit, Rate
from pipeline.store.rate_limiter import Limiter, Permits

_LONGEST_NAP = 2.0  # a job never sleeps longer; what must wait goes back to the due index
_HEAD_START = 1.0  # from the due index to the limiter, over the pump and arq
_LONGEST_SILENCE = 60.0
_WITH_NEW: Mapping[str, Rate | None] = {FleetLimit.NEW_ORDERS: Rate.parse("unlimited")}


async def permit(limiter: Limiter, name: FleetLimit) -> float:
    """Take one permit, napping if it comes soon; return 0, or the seconds to come back in."""
    return await _acquire(limiter, name, {})


async def order_permit(limiter: Limiter, *, interrupted: bool) -> float:
    """
    Do the same for an order; while one that was *interrupted* waits, no new one gets a permit.

    Under a low rate it would otherwise have to win against all others that wait for the same one.
    """
    if not interrupted:
        return await _acquire(limiter, FleetLimit.ORDERS, _WITH_NEW)
    return await _acquire(limiter, FleetLimit.ORDERS, {}, silences=FleetLimit.NEW_ORDERS)


async def _acquire(
    limiter: Limiter,
    name: FleetLimit,
    also: Mapping[str, Rate | None],
    *,
    silences: FleetLimit | None = None,
) -> float:
    napped = 0.0
    while True:
        permits = await limiter.acquire(name, 1, also)
        if permits.granted:
            return 0.0
        if silences is not None:
            await limiter.cool_down(silences, _silence(permits))
        if napped + permits.wait > _LONGEST_NAP:
            return permits.wait
        napped += permits.wait
        await asyncio.sleep(permits.wait)


def _silence(permits: Permits) -> float:
    """Return how long others leave the next permit to a refused caller; little of it is lost."""
    return min(permits.wait + min(permits.wait, _HEAD_START), _LONGEST_SILENCE)
