"""The senders of one channel in this process: one for each connection, for all batches."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass

import structlog

from pipeline.domain.batch import Lane
from pipeline.domain.clock import uptime
from pipeline.domain.errors import AbandonedError, BlockedError, DeliveryError, PermanentError
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import DeliveryKey, FactKind, Message, Receipt, Recipient, ReturnPaths
from pipeline.domain.ports import Channel, Composer, Searchable
from pipeline.execution.leases import Lease
from pipeline.sending.delivery_decisions import (
    DeliveryDecision,
    RetryPolicy,
    decide_delivery,
    decide_look,
)
from pipeline.sending.result_writer import ResultWriter
from pipeline.sending.unrecorded_window import UnrecordedWindow
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import Fact
from pipeline.store.outages import STORE_ERRORS
from pipeline.store.rate_limiter import Limiter
from pipeline.store.suppressions import Suppressions

log = structlog.get_logger()

_FATAL_PAUSE = 5.0  # long enough for the queued messages to be released


class InFlightBatch:
    """Counts the deliveries of one batch that are under way, until each result is recorded."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.unit = lease.claim.unit
        self.results: Counter[str] = Counter()
        self._open = 0
        self._done = asyncio.Event()
        self._done.set()

    def count_started(self, number: int) -> None:
        """Count *number* more deliveries whose results are not recorded yet."""
        self._open += number
        if number:
            self._done.clear()

    def count_settled(self, decision: DeliveryDecision) -> None:
        """Count one delivery whose result is recorded now."""
        self.results[decision.code or "sent"] += 1
        self._open -= 1
        if not self._open:
            self._done.set()

    async def wait_until_done(self) -> None:
        """Wait until every delivery that was counted as started is settled; may be repeated."""
        await self._done.wait()


# Not frozen: made for each message, at a third of the cost.
@dataclass(slots=True, kw_only=True, eq=False)
class OutgoingMessage:
    """One intended delivery, waiting for a connection."""

    batch: InFlightBatch
    composer: Composer
    recipient: Recipient
    link: str
    key: DeliveryKey
    index: int
    attempt: int
    tries: int
    returns: ReturnPaths
    resend_number: int = 1
    closes_at: float | None = None
    """When the recipient's window closes, in seconds since the epoch."""
    search: "Search | None" = None
    """Set if the provider is to be asked about the message; then it is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """An uncertain delivery: its code, when the attempt was started, and the campaign's policy."""

    code: str
    not_before: float
    resends: bool


class Dispatcher:
    """
    Sends messages that have an intent, one at a time on each connection.

    At most twice as many messages as the channel has connections may have been sent without a
    record: those on the wire, and as many again whose results are being written. That many can
    become uncertain, or be repeated, if this process is killed.
    """

    def __init__(
        self,
        channel: Channel,
        result_writer: ResultWriter,
        limiter: Limiter,
        campaigns: CampaignStore,
        policy: RetryPolicy,
        suppressions: Suppressions,
        *,
        measurements: Measurements,
        look_every: float = 60.0,
    ) -> None:
        self.channel = channel
        self._result_writer = result_writer
        self._limiter = limiter
        self._campaigns = campaigns
        self._policy = policy
        self._suppressions = suppressions
        self._measurements = measurements
        self._look_every = look_every if isinstance(channel, Searchable) else None
        self._queue: asyncio.Queue[OutgoingMessage] = asyncio.Queue()
        self._ahead = 0
        self._room = asyncio.Event()
        self._unrecorded = 0
        self._unrecorded_window = UnrecordedWindow(2 * channel.connections)
        self._recorded = asyncio.Event()
        self._silent_until = 0.0
        self._failing = (
            True  # so that our first success closes a breaker that another worker opened
        )

    @property
    def searches(self) -> bool:
        """Whether the provider can be asked about uncertain messages."""
        return self._look_every is not None

    async def reserve(self, wanted: int, *, resends: bool) -> int:
        """
        Wait until intents may be written, reserve places for them, and return how many.

        An intent that is never acted on costs nothing where uncertain messages are sent again.
        Otherwise a person has to decide about it, so few intents run ahead of the sending.
        """
        most = self.channel.connections * (20 if resends else 2)
        while self._ahead >= most:
            self._room.clear()
            await self._room.wait()
        granted = min(wanted, most - self._ahead)
        self._ahead += granted
        return granted

    def give_back(self, number: int) -> None:
        """Give back *number* reserved places; what was enqueued gives its own place back."""
        self._ahead -= number
        self._room.set()

    def enqueue(self, outgoing: OutgoingMessage) -> None:
        """Queue a message that has an intent and a reserved place, for one of the senders."""
        self._queue.put_nowait(outgoing)

    async def run(self) -> None:
        """Send messages until cancelled, over all connections of the channel."""
        async with asyncio.TaskGroup() as senders:
            for _ in range(self.channel.senders):
                senders.create_task(self._send_all())

    async def _send_all(self) -> None:
        while True:
            outgoing = await self._queue.get()
            while self._unrecorded >= self.channel.connections:
                self._recorded.clear()
                await self._recorded.wait()
            if outgoing.search is not None:
                self._record(outgoing, await self._look(outgoing, outgoing.search))
                continue
            outcome = await self._attempt(outgoing)
            await self._settle(outgoing, outcome)

    async def _look(self, outgoing: OutgoingMessage, search: Search) -> DeliveryDecision:
        """Ask the provider about an uncertain message; after three searches the policy decides."""
        found: Receipt | DeliveryError | None
        try:
            message = self._compose(outgoing)
            assert isinstance(self.channel, Searchable)  # noqa: S101 - the caller checks `searches`
            found = await self.channel.look_up(message, not_before=search.not_before)
        except DeliveryError as error:
            # The provider did not answer: the search is repeated and does not count.
            if isinstance(error, BlockedError):
                await self._note(self._provider_failed(outgoing.batch.unit.serial, error))
            return DeliveryDecision(FactKind.LOOKED_FOR, search.code, self._look_every or 0.0)
        except Exception as error:  # noqa: BLE001 - as in _attempt
            log.error("delivery.defect", error=type(error).__name__)  # noqa: TRY400 - as there
            return DeliveryDecision(FactKind.LOOKED_FOR, search.code, self._look_every or 0.0)
        return decide_look(
            found, search.code, resends=search.resends, every=self._look_every or 0.0
        )

    async def _attempt(self, outgoing: OutgoingMessage) -> Receipt | DeliveryError:
        lease = outgoing.batch.lease

        def permitted() -> None:
            if uptime() < self._silent_until:
                raise AbandonedError("breaker_open")
            if outgoing.closes_at is not None and time.time() >= outgoing.closes_at:
                raise AbandonedError("window_closed")
            lease.check()

        def send_guard() -> None:
            permitted()
            self._unrecorded_window.enter(outgoing)

        try:
            permitted()
            message = self._compose(outgoing)
            return await self.channel.send(message, send_guard)
        except DeliveryError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one message's defect must not stop the others
            # Where it failed is unknown, so it may have been sent: the result is uncertain.
            # Only the type is logged: a traceback may quote the message.
            log.error("delivery.defect", error=type(error).__name__)  # noqa: TRY400
            return DeliveryError("internal_error")

    def _compose(self, outgoing: OutgoingMessage) -> Message:
        try:
            return outgoing.composer.compose(
                outgoing.recipient,
                outgoing.link,
                outgoing.key,
                sent_at=time.time(),
                returns=outgoing.returns,
            )
        except DeliveryError:
            raise
        except Exception as error:
            # Nothing was sent: the data of this recipient does not fit into this message.
            log.warning("message.not_composed", error=type(error).__name__)
            raise PermanentError("compose_error") from error

    async def _settle(self, outgoing: OutgoingMessage, outcome: Receipt | DeliveryError) -> None:
        try:
            if isinstance(outcome, Receipt):
                await self._note(self._provider_works())
            elif isinstance(outcome, BlockedError):
                await self._note(self._provider_failed(outgoing.batch.unit.serial, outcome))
        finally:
            # Also if this task is cancelled meanwhile: a known result must not end as uncertain.
            dead = isinstance(outcome, PermanentError) and outcome.suppress
            self._record(outgoing, self._decide(outgoing, outcome), dead=dead)

    def _decide(
        self, outgoing: OutgoingMessage, outcome: Receipt | DeliveryError
    ) -> DeliveryDecision:
        return decide_delivery(
            outcome,
            tries=outgoing.tries,
            attempt=outgoing.attempt,
            breaker_open=uptime() < self._silent_until,
            policy=self._policy,
            jitter=random.random(),  # noqa: S311 - jitter is no secret
            look_every=self._look_every,
        )

    def _record(
        self, outgoing: OutgoingMessage, decision: DeliveryDecision, *, dead: bool = False
    ) -> None:
        """Record the result, and suppress a *dead* address in the same step."""
        current, unit = outgoing.batch, outgoing.batch.unit
        self._unrecorded += 1

        def recorded() -> None:
            self._unrecorded -= 1
            self._recorded.set()
            self._unrecorded_window.leave(outgoing)
            self._measurements.attempt(self.channel.name, decision.kind)
            self.give_back(1)
            current.count_settled(decision)

        fact = Fact(
            outgoing.index,
            self.channel.name,
            outgoing.attempt,
            decision.kind,
            decision.code,
            decision.delay,
            resend_number=outgoing.resend_number,
            suppress=self._place_of(outgoing.recipient) if dead else None,
        )
        self._result_writer.add((unit.serial, unit.batch), fact, recorded)

    def _place_of(self, recipient: Recipient) -> tuple[str, bytes]:
        name = self.channel.name
        return self._suppressions.key_of(name, recipient.address(name))

    async def _provider_works(self) -> None:
        if self._failing:
            self._failing = False
            await self._limiter.close_breaker(self.channel.name)

    async def _provider_failed(self, serial: str, error: BlockedError) -> None:
        log.warning("channel.failed", channel=self.channel.name, code=error.code, why=error.detail)
        self._failing = True
        silence = await self._limiter.trip(self.channel.name, error.code)
        if error.fatal:
            await self._campaigns.block(serial, Lane.SEND, error.code, error.detail, probe_after=0)
            silence = max(silence, _FATAL_PAUSE)
            # Other campaigns would only write intents that are released unsent.
            await self._limiter.cool_down(self.channel.name, silence)
        self._silent_until = max(self._silent_until, uptime() + silence)

    async def _note(self, call: Awaitable[None]) -> None:
        try:
            await call
        except STORE_ERRORS as error:
            # The next message reports the same to the breaker; the result itself is recorded.
            log.warning("breaker.not_updated", error=type(error).__name__)
