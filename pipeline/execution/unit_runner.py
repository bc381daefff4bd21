"""Run one unit of work: claim the batch, run its stage, and give it back in any case."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from pipeline.domain.batch import Lane, Unit, WaitCounter
from pipeline.domain.clock import uptime
from pipeline.domain.errors import AbandonedError, ClaimcastError, InputError, StaleLeaseError
from pipeline.domain.metrics import Measurements
from pipeline.domain.vault import SealError
from pipeline.execution.leases import Lease, Leases
from pipeline.store.batches import BatchStore
from pipeline.store.keys import due_index
from pipeline.store.outages import STORE_ERRORS

log = structlog.get_logger()

_OUTAGE_PAUSE = 0.25
_LONGEST_PAUSE = 60.0
_STOP_SECONDS = 1.0


class Stage(Protocol):
    async def run(self, lease: Lease) -> None: ...


class UnitRunner:
    """Runs units of every lane; a unit may run 0, 1 or N times."""

    def __init__(
        self,
        *,
        leases: Leases,
        batches: BatchStore,
        stages: Mapping[Lane, Stage],
        measurements: Measurements,
        missing_keys: Callable[[], Awaitable[Sequence[str]]] | None = None,
    ) -> None:
        self.unfit: InputError | None = None
        """Why this process cannot do its work; None while it can. Then it must claim no more."""
        self._missing_keys = missing_keys
        self._leases = leases
        self._batches = batches
        self._stages = stages
        self._measurements = measurements

    async def run(self, unit: Unit) -> None:
        """
        Work on a batch if this unit may have it; raises nothing but CancelledError.

        So no unit's defect ends those that run beside it.
        """
        try:
            async with self._leases.acquire(unit) as lease:
                if lease is not None:
                    began = uptime()
                    await self._work(lease)
                    self._measurements.stage(unit.lane, uptime() - began)
        except STORE_ERRORS as error:
            # Not even the claim went through; the batch is due again when its dispatch lapses.
            log.warning("unit.not_claimed", **_names(unit), error=type(error).__name__)
        except Exception:
            # What the ledger holds of the batch cannot be read; it is due again.
            log.exception("unit.defect", **_names(unit))

    async def _work(self, lease: Lease) -> None:
        unit = lease.claim.unit
        try:
            await self._stages[unit.lane].run(lease)
        except asyncio.CancelledError:
            # The worker stops at once: no other should have to wait for the lease to lapse.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._give_back(lease, 0.0), _STOP_SECONDS)
            raise
        except (StaleLeaseError, AbandonedError) as error:
            log.info(
                "unit.stopped", **_names(unit), campaign=lease.claim.campaign_id, why=str(error)
            )
            await self._give_back(lease, 0.0)
        except STORE_ERRORS as error:
            log.warning("unit.interrupted", **_names(unit), error=type(error).__name__)
            await self._give_back(lease, 0.0)
        except SealError as error:
            await self._unreadable(lease, error)
        except ClaimcastError as error:
            log.error("unit.failed", **_names(unit), why=str(error))  # noqa: TRY400 - says it all
            await self._give_back(lease, _pause(lease))
        except Exception:
            log.exception("unit.defect", **_names(unit))
            await self._give_back(lease, _pause(lease))

    async def _unreadable(self, lease: Lease, error: SealError) -> None:
        """Leave a batch to workers that can open it; nobody's attempts are spent."""
        claim = lease.claim
        log.error("unit.failed", **_names(claim.unit), why=str(error))
        missing: Sequence[str] = ("unknown",)
        with contextlib.suppress(*STORE_ERRORS):
            missing = await self._missing_keys() if self._missing_keys is not None else ()
            if missing:
                self.unfit = InputError(
                    f"Something is encrypted with a key that this process lacks (fingerprint "
                    f"{', '.join(missing)}): start it again with the same CLAIMCAST_SECRET_KEYS "
                    "as all others. What it had in hand goes on elsewhere."
                )
        if missing:
            await self._give_back(lease, _pause(lease))
            return
        # Every key is there, so the batch is damaged, and another try mends nothing.
        with contextlib.suppress(StaleLeaseError, *STORE_ERRORS):
            if claim.cancelled:  # a held batch of it would be dispatched again for ever
                await self._batches.cancel(claim, "damaged")
            else:
                await self._batches.hold(
                    claim, "damaged", missing=claim.batch.order.missing, reread=0
                )

    async def _give_back(self, lease: Lease, delay: float) -> None:
        """Release the lease as soon as Redis answers, so that nobody waits for it to lapse."""
        while True:
            try:
                await self._batches.release(
                    lease.claim, delay=delay, counter=WaitCounter.FAILS if delay else None
                )
            except StaleLeaseError:
                return
            except STORE_ERRORS:
                await asyncio.sleep(_OUTAGE_PAUSE)
            else:
                return


def _pause(lease: Lease) -> float:
    return float(min(2 ** min(lease.claim.batch.order.fails, 6), _LONGEST_PAUSE))


def _names(unit: Unit) -> dict[str, str | int]:
    return {"serial": unit.serial, "batch": unit.batch, "lane": due_index(unit.lane)}
