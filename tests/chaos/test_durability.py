"""What a power cut of the server takes; what may have left is never taken for pending."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from cryptography.fernet import Fernet

from config.settings import load_settings
from pipeline.domain.errors import DuplicateOrderError
from pipeline.domain.models import DeliveryStatus, FactKind
from pipeline.stages.order_decisions import Adopt, decide_order
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.durability import EverySecond
from tests.chaos.power import Sizes, client, cut, left_of, on_disk, recorded_sizes, valkey
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    a_campaign,
    fulfilled,
    lapse,
    open_ledger,
    people,
    submit,
    taken,
)
from tests.support.redis import raw
from tests.support.waiting import wait_until
from worker.wiring import ledger as workers
from worker.wiring.ledger import App

PEOPLE = 60
LOST = 2.0
"""The most that `everysec` may lose, in seconds (redis.io, "Persistence"); usually it is less."""


async def intents(ledger: Ledger, data: Path, cuts: set[int]) -> dict[int, Sizes]:
    """Acknowledge an intent for each of PEOPLE, one by one; return the sizes after *cuts*."""
    found = await fulfilled(ledger, await submit(ledger, a_campaign(), [people(PEOPLE)]))
    sizes = {}
    for index in range(PEOPLE):
        assert await ledger.deliveries.intend(found, [IntentRequest(index, EMAIL, 0)]) == [1]
        if index in cuts:
            sizes[index] = on_disk(data)
    return sizes


async def test_with_always_everything_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    cuts = set(random.Random(1).sample(range(PEOPLE), 3))  # noqa: S311 - any will do
    data = tmp_path / "v"
    with valkey(data, "always") as socket:
        async with client(socket) as redis:
            sizes = await intents(open_ledger(redis), data, cuts)

    for index, size in sizes.items():
        with valkey(left_of(data, size, tmp_path / f"v{index}"), "always") as socket:
            async with client(socket) as redis:
                ledger = open_ledger(redis)
                records = await ledger.deliveries.read("1", 1)
                assert {at for at, [found] in records.items() if found.status == "sending"} == set(
                    range(index + 1)
                )
                await lapse(ledger, "1")
                found = (await taken(ledger, "1")).ledger
                # Nothing that was in progress is pending: it may have been sent.
                assert {found[at][0].status for at in range(index + 1)} == {
                    DeliveryStatus.UNCERTAIN
                }


async def test_a_command_that_is_half_on_disk_is_left_out(tmp_path: Path) -> None:
    data = tmp_path / "v"
    with valkey(data, "always") as socket:
        async with client(socket) as redis:
            sizes = await intents(open_ledger(redis), data, {10, 11})

    half = {name: (size + sizes[11][name]) // 2 for name, size in sizes[10].items()}
    assert half != sizes[10]
    with valkey(left_of(data, half, tmp_path / "half"), "always") as socket:
        async with client(socket) as redis:
            records = await open_ledger(redis).deliveries.read("1", 1)
            assert sorted(records) == list(range(11))


@pytest.fixture(autouse=True)
def _accepts_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIMCAST_UNSAFE_REDIS", "1")
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", Fernet.generate_key().decode())


@asynccontextmanager
async def a_worker(socket: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """Open the ledger as a worker does that was told to accept such a server."""
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", f"unix://{socket}")
    settings = load_settings(None)
    async with (
        client(socket),
        workers.open_ledger(settings, structlog.get_logger(), patient=True) as app,
    ):
        yield app


async def prepared(app: App, *, order: bool = False) -> Claim:
    """Submit a campaign to an empty server, and return the claim that orders, or sends."""
    ledger = open_ledger(raw(app.redis))
    serial = await submit(ledger, a_campaign(), [people(PEOPLE)])
    return await (taken(ledger, serial) if order else fulfilled(ledger, serial))


async def statuses(data: Path) -> dict[int, DeliveryStatus]:
    """Return where everybody stands for the worker that takes over after the power is back."""
    with valkey(data, "everysec") as socket:
        async with client(socket) as redis:
            ledger = open_ledger(redis)
            await lapse(ledger, "1")
            found = (await taken(ledger, "1")).ledger
    return {
        at: found[at][0].status if at in found else DeliveryStatus.PENDING for at in range(PEOPLE)
    }


async def test_with_everysec_nobody_is_pending_for_whom_a_message_may_have_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, left, dice = tmp_path / "v", dict[int, float](), random.Random(5)  # noqa: S311 - as above

    async def send(app: App, claim: Claim, index: int) -> None:
        await asyncio.sleep(dice.uniform(0, 2.5))  # so that the cuts come upon all stages
        assert await app.deliveries.intend(claim, [IntentRequest(index, EMAIL, 0)]) == [1]
        left[index] = time.monotonic()
        await app.deliveries.record({("1", 1): [Fact(index, EMAIL, 1, FactKind.SENT)]})

    with valkey(data, "everysec") as socket:
        async with a_worker(socket, monkeypatch) as app, recorded_sizes(data) as history:
            claim = await prepared(app)
            await asyncio.gather(*(send(app, claim, index) for index in range(PEOPLE)))

    for number, moment in enumerate(dice.sample(sorted(left.values()), 4)):
        # A message that left just then cannot have been recorded on disk yet.
        found = await statuses(left_of(data, history.at(moment - LOST), tmp_path / f"v{number}"))
        gone = {found[index] for index, when in left.items() if when <= moment}
        assert gone <= {DeliveryStatus.UNCERTAIN, DeliveryStatus.SENT}
        assert DeliveryStatus.UNCERTAIN in gone, "nothing that mattered was lost"


async def test_with_everysec_an_order_that_may_have_been_posted_is_not_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "v"
    with valkey(data, "everysec") as socket:
        async with a_worker(socket, monkeypatch) as app, recorded_sizes(data) as history:
            claim = await prepared(app, order=True)
            intent = {"po_number": "PO-1", "payload_hash": "h"}
            assert await app.batches.order_intent(claim, **intent, nonce="first") == 0
            posted = time.monotonic()

    with valkey(left_of(data, history.at(posted - LOST), tmp_path / "left"), "everysec") as socket:
        async with client(socket) as redis:
            ledger = open_ledger(redis)
            await lapse(ledger, "1")
            claim = await taken(ledger, "1")
            posts = await ledger.batches.order_intent(claim, **intent, nonce="second")
    assert posts == 1
    answer = DuplicateOrderError(order_id="order-1")
    step = decide_order(
        answer, claim.batch, posts_before=posts, probes=0, funds_probe=60, jitter=0
    )
    assert step == Adopt("order-1")


@dataclass
class Gate:
    """Lets nobody find the disk to be quiet until it is opened; `tried` once somebody looked."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    tried: asyncio.Event = field(default_factory=asyncio.Event)

    def put_before_the_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        is_quiet = EverySecond._is_quiet  # noqa: SLF001 - no real disk can be told to take long

        async def gated(syncs: EverySecond) -> bool:
            quiet = await is_quiet(syncs)
            self.tried.set()
            return quiet and self.opened.is_set()

        monkeypatch.setattr(EverySecond, "_is_quiet", gated)


async def test_a_worker_that_outlives_the_server_has_its_lost_intent_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, gate = tmp_path / "v", Gate()

    async def status(app: App) -> DeliveryStatus | None:
        records = await app.deliveries.read("1", 1)
        return records[0][0].status if 0 in records else None

    async def nothing_to_write(app: App) -> bool:
        return not (await app.redis.info("persistence"))["aof_buffer_length"]

    async with AsyncExitStack() as stack:
        with valkey(data, "everysec") as socket:
            app = await stack.enter_async_context(a_worker(socket, monkeypatch))
            claim = await prepared(app)
            await wait_until(lambda: nothing_to_write(app))
            sizes = on_disk(data)
            gate.put_before_the_disk(monkeypatch)
            intent = asyncio.create_task(
                app.deliveries.intend(claim, [IntentRequest(0, EMAIL, 0)])
            )
            await wait_until(lambda: gate.tried.is_set() or intent.done())
            assert await status(app) is DeliveryStatus.SENDING
            assert not intent.done(), "it does not wait for the disk"

        with valkey(cut(data, sizes), "everysec"):
            gate.opened.set()
            assert await intent == [1]
            assert await status(app) is DeliveryStatus.SENDING
            await app.deliveries.record({("1", 1): [Fact(0, EMAIL, 1, FactKind.SENT)]})
            assert await status(app) is DeliveryStatus.SENT
            await stack.aclose()
