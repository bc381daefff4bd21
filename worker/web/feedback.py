"""What came back about a message, put where it counts: the ledger and the suppression list."""

from pipeline.callbacks.signed_tokens import Target
from pipeline.domain.batch import Lane
from pipeline.domain.errors import BlockedError
from pipeline.domain.models import FactKind
from pipeline.domain.resend_history import address_of
from pipeline.store.deliveries import Fact
from worker.wiring.ledger import App


class Feedback:
    """Everything here may be called any number of times, in any order."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def record(self, target: Target, kind: FactKind, code: str) -> bool:
        """Record a fact about the attempt that *target* names; False if it changed nothing."""
        fact = Fact(
            target.index,
            target.channel,
            target.attempt,
            kind,
            code,
            resend_number=target.resend_number,
        )
        return bool(await self._app.deliveries.record({(target.serial, target.batch): [fact]}))

    async def provider_failed(self, target: Target, error: BlockedError) -> None:
        """Let the channel rest, or stop the campaign where only a person can mend it."""
        await self._app.limiter.trip(target.channel, error.code)
        if error.fatal:
            await self._app.campaigns.block(
                target.serial, Lane.SEND, error.code, error.detail, probe_after=0
            )

    async def suppress(self, target: Target, reason: str) -> bool:
        """Let nobody write to the address again; False if it is not kept any more."""
        address = await self._address(target)
        if address:
            await self._app.suppressions.add(target.channel, address, reason)
        return bool(address)

    async def _address(self, target: Target) -> str:
        # Purged data leaves tokens behind that were valid.
        if not await self._app.campaigns.has_recipients(target.serial, target.batch):
            return ""
        people = await self._app.campaigns.people(target.serial, target.batch)
        if target.index >= len(people):
            return ""
        return address_of(*people[target.index], target.channel, target.resend_number)
