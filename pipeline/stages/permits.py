"""One permit for one call of the rewards API."""

import asyncio
from collections.abc import Mapping

from pipeline.domain.rate import FleetLimit, Rate
from pipeline.store.rate_limiter import Limiter, Permits

_LONGEST_NAP = (
    2.0  # a job never sleeps longer; a batch that must wait longer goes back to the due index
)
_HEAD_START = 1.0  # from the due index to the limiter, over the pump and arq
_LONGEST_SILENCE = 60.0
_WITH_NEW: Mapping[str, Rate | None] = {FleetLimit.NEW_ORDERS: Rate.parse("unlimited")}


async def permit(limiter: Limiter, name: FleetLimit) -> float:
    """
    Acquire one permit; return 0, or the seconds after which to call again.

    Sleeps for a permit that comes within two seconds.
    """
    return await _acquire(limiter, name, {})


async def order_permit(limiter: Limiter, *, interrupted: bool) -> float:
    """
    Acquire a permit for an order as `permit` does; an *interrupted* order comes before new ones.

    While it waits, no new order gets a permit. Under a low rate it would otherwise compete with
    all others for each one.
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
    """Return how long new orders get no permit, so that the refused caller gets the next one."""
    return min(permits.wait + min(permits.wait, _HEAD_START), _LONGEST_SILENCE)
