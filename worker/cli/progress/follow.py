"""Watching a campaign until it does not move any more by itself, and working it meanwhile."""

import asyncio
import contextlib

import structlog

from pipeline.domain.tasks import stop
from pipeline.store.outages import STORE_ERRORS
from pipeline.views.campaign_status import moves
from worker.cli.console.entry import say
from worker.cli.console.signals import stop_signals
from worker.cli.progress.bars import Display
from worker.executor.collector import tune_garbage_collector
from worker.executor.executor import Executor
from worker.wiring.engine import Engine
from worker.wiring.ledger import App

log = structlog.get_logger()

_POLL_SECONDS = 0.1
_OUTAGE_PAUSE = 1.0
_STOP_SECONDS = 6.0  # an executor gives what is on the wire four


async def follow(app: App, serial: str, shown: Display, stopping: asyncio.Event) -> None:
    """
    Return when the campaign has ended, when only a person can move the rest, or when *stopping*.

    Outages of Redis are waited out: nothing is decided without it.
    """
    while not stopping.is_set():
        pause = _POLL_SECONDS
        try:
            snapshot = await app.campaigns.snapshot(serial)
        except STORE_ERRORS as error:
            log.warning("redis.unreachable", error=type(error).__name__)
            pause = _OUTAGE_PAUSE
        else:
            shown.working(snapshot)
            if not moves(snapshot):
                return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


async def wait_for_others(app: App, serial: str, shown: Display) -> bool:
    """Follow while other processes work; return whether a person stopped it."""
    stopping = asyncio.Event()
    with stop_signals(stopping.set):
        await follow(app, serial, shown, stopping)
    return stopping.is_set()


async def work(app: App, engine: Engine, serial: str, shown: Display) -> bool:
    """
    Work in this process until the campaign does not move any more.

    Returns whether a person stopped it. What is on the wire is settled before this returns.
    """
    executor = Executor(app, engine)
    tune_garbage_collector()
    stopping, over = asyncio.Event(), asyncio.Event()

    def stopped() -> None:
        say("Stopping: what is on the wire is settled. Ctrl-C again stops at once.")
        stopping.set()
        over.set()
        executor.stop()

    with stop_signals(stopped):
        running = asyncio.create_task(executor.run())
        running.add_done_callback(lambda _: over.set())
        try:
            await follow(app, serial, shown, over)
            executor.stop()
            await asyncio.wait({running}, timeout=_STOP_SECONDS)
        finally:
            await stop(running)
    if not running.cancelled():
        running.result()
    return stopping.is_set()
