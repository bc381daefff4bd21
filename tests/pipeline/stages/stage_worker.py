"""The stages, senders and result writer of one worker over a real ledger, with a real sandbox."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from pipeline.callbacks.return_paths import ReturnPathFactory
from pipeline.callbacks.signed_tokens import SignedTokens
from pipeline.domain.batch import Batch, Lane
from pipeline.domain.metrics import Measurements
from pipeline.execution.leases import Leases
from pipeline.execution.unit_runner import Stage, UnitRunner
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.products import ProductCatalog
from pipeline.rewards.tokens import FleetToken
from pipeline.sending.delivery_decisions import RetryPolicy
from pipeline.sending.dispatcher import Dispatcher
from pipeline.sending.result_writer import ResultWriter
from pipeline.stages.await_fulfilment import FulfilmentStage, OrderReading
from pipeline.stages.campaign_cache import CampaignCache
from pipeline.stages.distribute import DistributeStage
from pipeline.stages.order import OrderStage
from pipeline.store.product_cache import ProductCache
from pipeline.store.suppressions import Suppressions
from sandbox.faults import Faults
from sandbox.options import SandboxOptions
from sandbox.rewards.orders import SandboxOrder
from sandbox.server import Sandbox, running
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.ledger import LEASE, Ledger, make_due, pump

POLICY = RetryPolicy(first=2, cap=900, give_up=86400)
FUNDS_PROBE = 6000  # seconds


@dataclass
class StageWorker:
    """The parts of one worker; `work_once` works on every batch that is due."""

    ledger: Ledger
    channel: ScriptedChannel
    leases: Leases
    result_writer: ResultWriter
    dispatcher: Dispatcher
    stages: dict[Lane, Stage] = field(default_factory=dict)

    @property
    def units(self) -> UnitRunner:
        return UnitRunner(
            leases=self.leases,
            batches=self.ledger.batches,
            stages=self.stages,
            measurements=Measurements(),
        )

    async def work_once(self, serial: str) -> int:
        """Make every batch due, work on each of them once, and return how many there were."""
        await make_due(self.ledger, serial)
        units = await pump(self.ledger)
        await asyncio.gather(*(self.units.run(unit) for unit in units))
        return len(units)


@asynccontextmanager
async def sending(
    ledger: Ledger, channel: ScriptedChannel, *, look_every: float = 60.0
) -> AsyncIterator[StageWorker]:
    """Run the senders of one channel, without any rewards API."""
    result_writer = ResultWriter(ledger.deliveries)
    suppressions = Suppressions(ledger.redis, ledger.vault)
    dispatcher = Dispatcher(
        channel,
        result_writer,
        ledger.limiter,
        ledger.campaigns,
        POLICY,
        suppressions,
        measurements=Measurements(),
        look_every=look_every,
    )
    worker = StageWorker(ledger, channel, Leases(ledger.batches, LEASE), result_writer, dispatcher)
    worker.stages[Lane.SEND] = DistributeStage(
        batches=ledger.batches,
        campaigns=ledger.campaigns,
        deliveries=ledger.deliveries,
        limiter=ledger.limiter,
        campaign_cache=CampaignCache(ledger.campaigns, {channel.name: channel}),
        dispatchers={channel.name: dispatcher},
        suppressions=suppressions,
        returns=no_returns(ledger),
    )
    async with _background(result_writer.run()), _background(dispatcher.run()):
        yield worker


@dataclass
class SandboxWorker:
    """A worker, and the sandbox whose rewards API it calls."""

    parts: StageWorker
    sandbox: Sandbox

    def orders(self) -> list[SandboxOrder]:
        return self.sandbox.account.orders()

    def posts(self) -> int:
        return sum(self.sandbox.account.counted("post:").values())

    def faults(self, **share: object) -> None:
        self.sandbox.chaos.faults = Faults.model_validate(share)

    def complete(self) -> None:
        """Let the API fulfil every order now."""
        for order in self.orders():
            done = order.model_copy(update={"completes_at": order.created_at})
            self.sandbox.account.replace(done)

    def links(self) -> dict[str, list[str]]:
        """Return the links that were issued, by PO number."""
        return {o.request.po: [url for urls in o.links for url in urls] for o in self.orders()}

    async def work_once(self, serial: str) -> int:
        return await self.parts.work_once(serial)

    async def batch(self, serial: str, number: int = 1) -> Batch:
        found = await self.parts.ledger.batches.read(serial, number)
        assert found is not None
        return found


class StartWorker(Protocol):
    async def __call__(self, **options: object) -> SandboxWorker: ...


@asynccontextmanager
async def working(
    ledger: Ledger, directory: Path, *, overdue: float = 3600, **options: object
) -> AsyncIterator[SandboxWorker]:
    """Run a sandbox and all stages of one worker against it."""
    options = {"async_above": None, **options}
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            running(SandboxOptions(directory=directory, **options))  # type: ignore[arg-type]
        )
        http = await stack.enter_async_context(http_client(sandbox.base_url, 240.0))
        worker = await stack.enter_async_context(sending(ledger, ScriptedChannel()))
        account = Account(
            base_url=sandbox.base_url, email=sandbox.email, access_token=sandbox.access_token
        )
        client = RewardsClient(
            http, account, partial(FleetToken, ledger.token_cache(account.digest))
        )
        _add_stages(worker, client, account.digest, overdue)
        yield SandboxWorker(worker, sandbox)


def _add_stages(worker: StageWorker, client: RewardsClient, account: str, overdue: float) -> None:
    ledger = worker.ledger
    fulfilment = FulfilmentStage(
        batches=ledger.batches,
        campaigns=ledger.campaigns,
        limiter=ledger.limiter,
        rewards=client,
        campaign_cache=CampaignCache(ledger.campaigns, {}),
        reading=OrderReading(
            completed=["Completed"], failed=["Failed"], links_path=None, overdue=overdue
        ),
        measurements=Measurements(),
    )
    worker.stages[Lane.READ] = fulfilment
    worker.stages[Lane.ORDER] = OrderStage(
        batches=ledger.batches,
        campaigns=ledger.campaigns,
        limiter=ledger.limiter,
        rewards=client,
        products=ProductCatalog(ProductCache(ledger.redis, account), fetch=client.products),
        campaign_cache=CampaignCache(ledger.campaigns, {}),
        fulfilment=fulfilment,
        funds_probe=FUNDS_PROBE,
        returns=no_returns(ledger),
        audit=ledger.audit,
    )


def no_returns(ledger: Ledger) -> ReturnPathFactory:
    """Return a factory of messages to which no answer comes back: `serve` is not reachable."""
    return ReturnPathFactory(SignedTokens(ledger.vault), public_url=None, bounces=None)


@asynccontextmanager
async def _background(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
