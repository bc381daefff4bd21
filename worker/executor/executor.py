"""arq as the executor: a pump that fills free slots, and the workers that run what it brings."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog
from arq.connections import ArqRedis
from arq.worker import func

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.clock import uptime
from pipeline.domain.tasks import finish, stop
from pipeline.operations.purge import CampaignPurger, Retention
from pipeline.store.codec import encode_unit
from pipeline.store.keys import SUBMIT_QUEUE, worker_health_key, worker_queue_key
from pipeline.store.outages import STORE_ERRORS
from worker.alerting.alerts import LOOK_SECONDS, Alerts, open_alerts
from worker.executor.handoff import Handoff
from worker.executor.job_worker import JobWorker
from worker.executor.jobs import run_units, submit_campaign
from worker.executor.outage_log import Outage
from worker.executor.queue import connect_queue, connection
from worker.executor.serializer import dump_job, load_job
from worker.executor.slots import Slots
from worker.wiring.engine import Engine
from worker.wiring.ledger import App

log = structlog.get_logger()

# A slot waits for answers and permits more than it computes; the CPU goes to the senders.
_SLOTS = {Lane.ORDER: 6, Lane.READ: 6, Lane.SEND: 6}
_EXTRA_SLOTS = 6  # for what a dead worker had begun: its people must not wait for the next slot
_IDLE_SECONDS = 0.05
_CONTROL_SECONDS = 0.25  # pause takes effect within a second
_HEARTBEAT_SECONDS = 5.0
_DEAD_SECONDS = 60.0
_SWEEP_SECONDS = 30.0
_RETENTION_SECONDS = 60.0
_STOP_SECONDS = 4.0  # Ctrl-C stops within a few seconds
_BURST_SECONDS = 60.0
_OUTAGE_PAUSE = 0.5
_JOB_SECONDS = 900  # above the wait for a mail server's last answer (600 s, RFC 5321 4.5.3.2.6)
_SUBMIT_SECONDS = 60  # also how long a killed worker's submit waits before another takes it
_FOREVER = 10**9  # arq must never give up a job: what it costs to try is our own ledger's affair


class Executor:
    """
    One worker process.

    Its arq queue is its own, so a dead worker's entries are in nobody's way: what it had claimed
    is due again when the leases lapse, what it had only queued when the dispatch does.
    """

    def __init__(self, app: App, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._slots = Slots(_SLOTS, extra=_EXTRA_SLOTS)
        self._handoff = Handoff(self._slots)
        self.name = engine.name
        self._queue = worker_queue_key(self.name)
        self._stopping = False
        self._arq: set[JobWorker] = set()

    def stop(self) -> None:
        """Start nothing more; `run` returns once what is on the wire is settled."""
        self._stopping = True
        for worker in self._arq:
            worker.allow_pick_jobs = False
        self._handoff.close()
        self._slots.changed.set()

    async def run(self, *, burst: bool = False) -> None:
        """Work until `stop`, or with *burst* until nothing is due within a minute."""
        async with open_alerts(self._app) as alerts:
            await self._run(alerts, burst=burst)

    async def _run(self, alerts: Alerts, *, burst: bool) -> None:
        log.info("worker.started", worker=self.name)
        tasks = [
            asyncio.create_task(self._supervise(self._unit_worker)),
            asyncio.create_task(self._supervise(self._submit_worker)),
            asyncio.create_task(_every(_CONTROL_SECONDS, self._stop_halted)),
            asyncio.create_task(_every(_HEARTBEAT_SECONDS, self._heartbeat)),
            asyncio.create_task(_every(_SWEEP_SECONDS, self._sweep)),
            asyncio.create_task(_every(LOOK_SECONDS, alerts.look)),
            asyncio.create_task(_every(_RETENTION_SECONDS, self._purge)),
        ]
        try:
            await self._pump(tasks, burst=burst)
            await self._finish()
        finally:
            # What ends us because a part has died cancels this, too.
            await finish(self._wind_down(tasks, alerts))
        log.info("worker.stopped", worker=self.name)

    async def _wind_down(self, tasks: "list[asyncio.Task[None]]", alerts: Alerts) -> None:
        await stop(*tasks)
        for worker in tuple(self._arq):
            await worker.stop_and_close()
        await alerts.leave()
        await self._sign_off()

    async def _pump(self, tasks: "list[asyncio.Task[None]]", *, burst: bool) -> None:
        """Bring as much as there are free slots, at once when one becomes free."""
        outage = Outage()
        async with connection(self._app.url) as pool:
            while not self._stopping:
                if (unfit := self._engine.units.unfit) is not None:
                    raise unfit
                self._check_parts(tasks)
                self._slots.changed.clear()
                try:
                    busy = await self._dispatch(pool)
                    outage.note_recovery()
                    if burst and not busy and not await self._anything_due():
                        return
                except STORE_ERRORS as error:
                    if fields := outage.describe_new(error):
                        log.warning("pump.interrupted", **fields)
                    await asyncio.sleep(_OUTAGE_PAUSE)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._slots.changed.wait(), _IDLE_SECONDS)

    def _check_parts(self, tasks: "list[asyncio.Task[None]]") -> None:
        """Raise what a part of the worker died of: it must end rather than idle for ever."""
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        if not self._engine.alive() or any(task.done() for task in tasks):
            # A cancellation may be lost (see pipeline/domain/tasks.py), so this is looked at.
            msg = "a part of the worker has died"
            raise RuntimeError(msg)

    async def _dispatch(self, pool: ArqRedis) -> bool:
        """Return whether there is anything in hand."""
        self._slots.free_lapsed()
        free, spare = {lane: self._slots.free(lane) for lane in _SLOTS}, self._slots.extra_free()
        if spare or any(free.values()):
            seconds = self._app.settings.lease_seconds
            units = await self._app.batches.pump(
                order=free[Lane.ORDER],
                read=free[Lane.READ],
                send=free[Lane.SEND],
                dispatch_seconds=seconds,
                worker=self.name,
                idle=len(self._slots) == 0,
                spare_slots=spare,
            )
            if left := [unit for unit in units if not self._handoff.offer(unit)]:
                await self._enqueue(pool, left, seconds)
        self._set_arq_polling()
        return len(self._slots) > 0

    def _set_arq_polling(self) -> None:
        """Let arq look into its queue only while something waits: what runs stands there, too."""
        for worker in self._arq:
            if worker.queue_name == self._queue:
                worker.allow_pick_jobs = not self._stopping and bool(self._slots.waiting())

    async def _enqueue(self, pool: ArqRedis, units: Sequence[Unit], seconds: float) -> None:
        """Give units to arq in one job: it starts jobs one by one, in several round trips each."""
        for unit in units:
            self._slots.reserve(unit, seconds=seconds)
        job = None
        try:
            job = await pool.enqueue_job(
                "run_units",
                [encode_unit(unit) for unit in units],
                # The dispatch number makes the id new, or arq would drop a wake-up as a copy.
                _job_id=":".join(map(str, encode_unit(units[0]))),
                _queue_name=self._queue,
                _expires=_JOB_SECONDS,
            )
        finally:
            if job is None:  # also where arq swallows that the line dropped
                await self._return_units(units)

    async def _return_units(self, units: Sequence[Unit]) -> None:
        """Make units due again that arq may not have; if it has, one dispatch of both counts."""
        for unit in units:
            self._slots.release(unit)
        with contextlib.suppress(*STORE_ERRORS):
            for unit in units:
                await self._app.batches.wake(unit.serial, unit.batch)

    async def _anything_due(self) -> bool:
        soonest = await self._app.batches.next_due()
        queued = await self._app.workers.queued_submits()
        return bool(queued) or (soonest is not None and soonest < _BURST_SECONDS)

    async def _supervise(self, make: Callable[[], JobWorker]) -> None:
        """Keep an arq worker running: its main loop ends with the first error of Redis."""
        while True:
            worker = make()
            worker.allow_pick_jobs = not self._stopping
            self._arq.add(worker)
            try:
                await worker.async_run()
            except STORE_ERRORS as error:
                log.warning("arq.restarted", error=type(error).__name__)
                await asyncio.sleep(_OUTAGE_PAUSE)
            # Not where it is cancelled: the canceller has the time to close it.
            await worker.stop_and_close()
            self._arq.discard(worker)

    def _unit_worker(self) -> JobWorker:
        return JobWorker(
            functions=[func(run_units, name="run_units", timeout=_JOB_SECONDS)],
            queue_name=self._queue,
            redis_pool=connect_queue(self._app.url, queue=self._queue),
            max_jobs=sum(_SLOTS.values()) + _EXTRA_SLOTS,
            max_tries=_FOREVER,
            keep_result=0,
            poll_delay=0.01,  # costs next to nothing while it need not look
            health_check_interval=_JOB_SECONDS,
            handle_signals=False,
            log_results=False,
            ctx={
                "units": self._engine.units,
                "slots": self._slots,
                "handoff": self._handoff,
            },
            job_serializer=dump_job,
            job_deserializer=load_job,
        )

    def _submit_worker(self) -> JobWorker:
        return JobWorker(
            functions=[func(submit_campaign, name="submit_campaign", timeout=_SUBMIT_SECONDS)],
            queue_name=SUBMIT_QUEUE,
            redis_pool=connect_queue(self._app.url),
            max_jobs=2,
            max_tries=_FOREVER,
            queue_read_limit=1000,
            poll_delay=0.25,
            health_check_key=worker_health_key(self.name),
            handle_signals=False,
            log_results=False,
            ctx={"app": self._app},
            job_serializer=dump_job,
            job_deserializer=load_job,
        )

    async def _stop_halted(self) -> None:
        """Let a pause or a cancel stop what this worker has in hand."""
        leases = self._engine.leases
        if self._stopping:
            leases.halt(leases.serials())
        else:
            leases.halt(await self._app.campaigns.halted(leases.serials()))

    async def _heartbeat(self) -> None:
        await self._app.workers.beat(self.name)
        await self._report()

    async def _report(self) -> None:
        leases = len(self._engine.leases)
        await self._app.workers.report(self.name, self._app.measurements, leases=leases)

    async def _sweep(self) -> None:
        """Clear away what dead submits and dead workers left behind."""
        await self._app.staging.sweep()
        await self._app.workers.sweep(_DEAD_SECONDS)

    async def _purge(self) -> None:
        """Remove people and links of campaigns whose time is over."""
        app = self._app
        purging = CampaignPurger(app.campaigns, app.audit, app.purges)
        retention = Retention(app.purges, app.campaigns, purging)
        await retention.run(self.name, app.settings.retention)

    async def _finish(self) -> None:
        """Wait for what is on the wire; what is not started yet is given up at once."""
        self._handoff.close()
        until = uptime() + _STOP_SECONDS
        while self._slots.running() and uptime() < until:
            self._engine.leases.halt(self._engine.leases.serials())
            self._slots.changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._slots.changed.wait(), _IDLE_SECONDS)

    async def _sign_off(self) -> None:
        """Make what was queued here due at once for others, and sign off."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                for unit in self._slots.waiting():
                    await self._app.batches.wake(unit.serial, unit.batch)
                await self._report()
                await self._app.workers.leave(self.name)
        except STORE_ERRORS as error:  # a time-out is one of them
            log.warning("worker.left_in_haste", error=type(error).__name__)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    outage = Outage()
    while True:
        try:
            await work()
            outage.note_recovery()
        except STORE_ERRORS as error:
            if fields := outage.describe_new(error):
                log.warning("upkeep.interrupted", **fields)
        await asyncio.sleep(seconds)
