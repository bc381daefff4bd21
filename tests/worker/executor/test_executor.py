"""One worker in this process: it works, counts what it did, and ends with any part of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job
from cryptography.fernet import Fernet
from redis.exceptions import ConnectionError as RedisConnectionError

from config.settings import load_settings
from pipeline.domain.batch import Lane, Unit
from pipeline.domain.clock import uptime
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store import keys
from pipeline.store.batches import BatchStore
from pipeline.store.deliveries import Fact
from sandbox.options import SandboxOptions
from sandbox.server import Sandbox, running
from tests.pipeline.installation import PEOPLE, Installation
from tests.support.redis import Redis, raw
from worker.cli.console.entry import explain_error
from worker.executor.executor import Executor
from worker.wiring.engine import Engine, open_app, open_engine
from worker.wiring.ledger import App

# arq closes its connection by a name that redis-py calls old.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

Break = Callable[[Engine], object]


@pytest.fixture
async def sandbox(
    redis: Redis, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sandbox]:
    """A sandbox and the settings of an empty installation that uses it."""
    async with running(SandboxOptions(directory=tmp_path / "sandbox")) as sandbox:
        settings = {
            "REDIS__URL": valkey_url,
            "SECRET_KEYS": Fernet.generate_key().decode(),
            "REWARDS__BASE_URL": sandbox.base_url,
            "REWARDS__EMAIL": sandbox.email,
            "REWARDS__ACCESS_TOKEN": sandbox.access_token,
            "SMTP__HOST": sandbox.smtp_host,
            "SMTP__PORT": str(sandbox.smtp_port),
            "SMTP__SECURITY": "none",
            "SMTP__SENDER": "rewards@example.com",
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"CLAIMCAST_{name}", value)
        yield sandbox


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[App, Engine, Installation]]:
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(load_settings(None)))
        engine = await stack.enter_async_context(open_engine(app))
        installation = Installation(
            raw(app.redis), app.vault, app.campaigns, app.batches, app.deliveries
        )
        yield app, engine, installation


def defect() -> None:
    raise ZeroDivisionError


def break_recorder(engine: Engine) -> None:
    fact = Fact(0, ChannelName.EMAIL, 1, FactKind.SENT)
    engine.result_writer.add(("1", 1), fact, defect)


def break_sender(engine: Engine) -> None:
    engine.dispatchers[ChannelName.EMAIL].enqueue(cast("Any", None))


def break_heartbeat(engine: Engine) -> None:
    engine.leases._seconds = cast("Any", None)  # noqa: SLF001 - no other way to break it


def break_upkeep(app: App) -> None:
    app.measurements._amounts = cast("Any", None)  # noqa: SLF001 - as above


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("broken", [break_recorder, break_sender, break_heartbeat])
async def test_a_worker_whose_part_has_died_ends_and_says_so(broken: Break) -> None:
    async def work() -> None:
        async with opened() as (app, engine, _):
            broken(engine)
            await Executor(app, engine).run()

    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(work(), 120)
    sentence, code = explain_error(caught.value)
    assert code == 1
    assert re.search(r"not have happened \((ZeroDivision|Attribute|Type)Error at .*py:", sentence)


@pytest.mark.usefixtures("sandbox")
async def test_a_worker_whose_upkeep_has_died_ends_with_what_it_died_of() -> None:
    async def work() -> None:
        async with opened() as (app, engine, _):
            break_upkeep(app)
            await Executor(app, engine).run()

    with pytest.raises(AttributeError, match="no attribute 'items'"):
        await asyncio.wait_for(work(), 120)


@pytest.mark.usefixtures("sandbox")
async def test_a_worker_ends_even_if_nothing_tells_it_that_a_part_has_died() -> None:
    """A cancellation may be lost, so what runs beside the stages is looked at as well."""

    async def work() -> None:
        async with opened() as (app, engine, _):
            await Executor(app, replace(engine, alive=lambda: False)).run()

    with pytest.raises(RuntimeError, match="a part of the worker has died"):
        await asyncio.wait_for(work(), 120)


@pytest.mark.usefixtures("sandbox")
async def test_while_every_part_lives_the_worker_says_so() -> None:
    async with opened() as (_, engine, _):
        assert engine.alive()


@pytest.mark.usefixtures("sandbox")
async def test_a_worker_flushes_its_counts_before_it_leaves() -> None:
    async with opened() as (app, engine, installation):
        serial = await installation.submitted()
        began = uptime()
        await asyncio.wait_for(Executor(app, engine).run(burst=True), 120)
        took = uptime() - began
        totals = (await app.readings.fleet()).counted
        assert (await installation.snapshot(serial)).people()["reached"] == PEOPLE
        assert not await app.redis.exists(keys.WORKERS, keys.LEASES)

    assert totals["attempts|email|sent"] == PEOPLE
    assert totals["permits|email"] == PEOPLE
    assert totals["permits|orders"] == 3
    for stage in ("order", "send"):
        buckets = [n for name, n in totals.items() if name.startswith(f"stage|{stage}|")]
        assert sum(buckets) == 3
        assert 0 < totals[f"stage_seconds|{stage}"] < 3 * took


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("lost", [None, RedisConnectionError()], ids=repr)
async def test_units_that_the_queue_did_not_take_are_given_out_again_at_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, lost: RedisConnectionError | None
) -> None:
    enqueue, pump = ArqRedis.enqueue_job, BatchStore.pump
    not_taken, delays = list[tuple[str, int, str, int]](), list[float]()

    async def lossy(pool: ArqRedis, *args: Any, **more: Any) -> Job | None:  # noqa: ANN401 - arq's
        if not_taken:
            return await enqueue(pool, *args, **more)
        not_taken.extend(args[1])
        if lost is not None:
            raise lost
        return None

    async def seen(batches: BatchStore, **wanted: Any) -> list[Unit]:  # noqa: ANN401 - only looks
        if not delays:
            delays.extend([await due_in(redis, *unit[:3]) for unit in not_taken])
        return await pump(batches, **wanted)

    monkeypatch.setattr(ArqRedis, "enqueue_job", lossy)
    monkeypatch.setattr(BatchStore, "pump", seen)
    # Were they due with their dispatch only, a burst would not wait for them.
    monkeypatch.setenv("CLAIMCAST_LEASE_SECONDS", "3600")
    async with opened() as (app, engine, installation):
        serial = await installation.submitted()
        await asyncio.wait_for(Executor(app, engine).run(burst=True), 120)
        assert (await installation.snapshot(serial)).people()["reached"] == PEOPLE
    assert len(delays) == len(not_taken) > 0
    assert max(delays) <= 0, "when units were looked for again these were not due"


async def due_in(redis: Redis, serial: str, batch: int, lane: str) -> float:
    """Return the milliseconds until a batch is due, by the server's clock."""
    score = await redis.zscore(f"cc:{serial}:due:{lane}", str(batch))
    seconds, micros = await redis.time()
    now: float = seconds * 1000 + micros / 1000
    assert score is not None
    return float(score) - now


async def paused(installation: Installation, serial: str) -> None:
    await installation.campaigns.steer(serial, "pause")


async def blocked(installation: Installation, serial: str) -> None:
    await installation.campaigns.block(serial, Lane.ORDER, "credentials", "", probe_after=0)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("stopped", [paused, blocked])
async def test_a_burst_ends_though_a_campaign_waits_for_a_person(
    stopped: Callable[[Installation, str], Awaitable[None]],
) -> None:
    async with opened() as (app, engine, installation):
        await stopped(installation, await installation.submitted())
        await asyncio.wait_for(Executor(app, engine).run(burst=True), 120)
