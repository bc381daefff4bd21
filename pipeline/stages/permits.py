"""One permit for one call of the rewards API."""

import asyncio

from pipeline.limits import Limiter

_LONGEST_NAP = 2.0  # a job never sleeps longer; what must wait goes back to the due index


async def permit(limiter: Limiter, name: str) -> float:
    """Take one permit, napping if it comes soon; return 0, or the seconds to come back in."""
    napped = 0.0
    while True:
        permits = await limiter.take(name)
        if permits.granted:
            return 0.0
        if napped + permits.wait > _LONGEST_NAP:
            return permits.wait
        napped += permits.wait
        await asyncio.sleep(permits.wait)
