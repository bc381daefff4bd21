"""Run one unit of work: claim the batch, run its stage, and give it back whatever happens."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Protocol

import structlog
from redis import RedisError

from pipeline.batch import Lane, Unit
from pipeline.errors import AbandonedError, ClaimcastError, StaleLeaseError
from pipeline.leases import Lease, Leases
from pipeline.store.batches import BatchStore

log = structlog.get_logger()

_OUTAGE_PAUSE = 0.25
_LONGEST_PAUSE = 60.0
_HASTE = 1.0


class Stage(Protocol):
    async def run(self, lease: Lease) -> None: ...


class Units:
    """The one entry for every kind of work; a unit may run 0, 1 or N times."""

    def __init__(
        self, *, leases: Leases, batches: BatchStore, stages: Mapping[Lane, Stage]
    ) -> None:
        self._leases = leases
        self._batches = batches
        self._stages = stages

    async def run(self, unit: Unit) -> None:
        """Work on a batch if it is this unit's turn; raises nothing but CancelledError."""
        try:
            async with self._leases.hold(unit) as lease:
                if lease is not None:
                    await self._work(lease)
        except (RedisError, OSError) as error:
            # Not even the claim went through; the batch is due again when its dispatch lapses.
            log.warning("unit.not_claimed", **_names(unit), error=type(error).__name__)

    async def _work(self, lease: Lease) -> None:
        unit = lease.claim.unit
        try:
            await self._stages[unit.lane].run(lease)
        except asyncio.CancelledError:
            # The worker is stopping in haste: nobody should have to wait for the lease to lapse.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._give_back(lease, 0.0), _HASTE)
            raise
        except (StaleLeaseError, AbandonedError) as error:
            log.info(
                "unit.stopped", **_names(unit), campaign=lease.claim.campaign_id, why=str(error)
            )
            await self._give_back(lease, 0.0)
        except (RedisError, OSError) as error:
            log.warning("unit.interrupted", **_names(unit), error=type(error).__name__)
            await self._give_back(lease, 0.0)
        except ClaimcastError as error:
            log.error("unit.failed", **_names(unit), why=str(error))  # noqa: TRY400 - says it all
            await self._give_back(lease, _pause(lease))
        except Exception:
            log.exception("unit.defect", **_names(unit))
            await self._give_back(lease, _pause(lease))

    async def _give_back(self, lease: Lease, delay: float) -> None:
        """Release the lease as soon as Redis answers, so that nobody waits for it to lapse."""
        while True:
            try:
                await self._batches.wait(
                    lease.claim, delay=delay, counter="fails" if delay else ""
                )
            except StaleLeaseError:
                return
            except (RedisError, OSError):
                await asyncio.sleep(_OUTAGE_PAUSE)
            else:
                return


def _pause(lease: Lease) -> float:
    return float(min(2 ** min(lease.claim.batch.fails, 6), _LONGEST_PAUSE))


def _names(unit: Unit) -> dict[str, str | int]:
    return {"serial": unit.serial, "batch": unit.batch, "lane": unit.lane}
