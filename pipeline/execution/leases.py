"""The leases of this process: claimed, renewed, and trusted only before their deadline."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import structlog

from pipeline.domain.batch import Unit
from pipeline.domain.clock import uptime
from pipeline.domain.errors import AbandonedError
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.keys import due_index
from pipeline.store.outages import STORE_ERRORS

log = structlog.get_logger()


class Lease:
    """
    The right to start work on one batch, as far as this process can know.

    `check` is the guard that is called immediately before an effect: it compares the deadline
    with a clock that counts suspension, so a process frozen past its lease starts nothing.
    """

    def __init__(self, claim: Claim, deadline: float) -> None:
        self.claim = claim
        self.deadline = deadline
        self.lost = False
        self.halted = False

    def check(self) -> None:
        """Raise AbandonedError if nothing may be started (any more)."""
        if self.lost or uptime() >= self.deadline:
            raise AbandonedError("lease_lost")
        if self.halted:
            raise AbandonedError("halted")


class Leases:
    """
    Claims batches and renews their leases, all in one call per heartbeat.

    *holder* is a name that the tokens begin with: the ledger tells which worker has which batch.
    """

    def __init__(self, batches: BatchStore, lease_seconds: float, *, holder: str = "") -> None:
        self._batches = batches
        self._seconds = lease_seconds
        self._holder = holder
        self._active: set[Lease] = set()

    @contextlib.asynccontextmanager
    async def acquire(self, unit: Unit) -> AsyncIterator[Lease | None]:
        """Claim a batch for the time of the block; None if this unit may not have it."""
        # Before the call: the server's clock for the lease starts later than ours.
        deadline = uptime() + self._seconds
        nonce = f"{self._holder}/{secrets.token_hex(8)}"
        claim = await self._batches.claim(unit, nonce=nonce, lease_seconds=self._seconds)
        if claim is None:
            yield None
            return
        lease = Lease(claim, deadline)
        self._active.add(lease)
        try:
            yield lease
        finally:
            lease.lost = True
            self._active.discard(lease)

    def __len__(self) -> int:
        return len(self._active)

    def serials(self) -> set[str]:
        """Return the campaigns that this process works for."""
        return {lease.claim.unit.serial for lease in self._active}

    def halt(self, serials: set[str]) -> None:
        """Start nothing more for these campaigns; all others go on."""
        for lease in self._active:
            lease.halted = lease.claim.unit.serial in serials

    async def run(self) -> None:
        """Renew for ever, at a third of the lease; an outage of Redis only lets deadlines pass."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                await self._renew()
            except STORE_ERRORS as error:
                log.warning("leases.renewal_failed", error=type(error).__name__)

    async def _renew(self) -> None:
        active = [lease for lease in self._active if not lease.lost]
        if not active:
            return
        deadline = uptime() + self._seconds
        answers = await self._batches.renew(
            [(lease.claim.unit, lease.claim.token) for lease in active], self._seconds
        )
        for lease, renewed in zip(active, answers, strict=True):
            if renewed:
                lease.deadline = deadline
            elif lease in self._active:
                lease.lost = True
                unit = lease.claim.unit
                lane = due_index(unit.lane)
                log.warning("lease.lost", campaign=unit.serial, batch=unit.batch, lane=lane)
