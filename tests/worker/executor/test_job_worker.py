"""The ends of jobs do not outlive their worker, whatever has become of Redis."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from arq.worker import func

from tests.support.waiting import wait_until
from worker.executor.job_worker import JobWorker
from worker.executor.queue import connect_queue
from worker.executor.serializer import dump_job, load_job
from worker.valkey.embedded import EmbeddedValkey
from worker.valkey.server import ValkeyServer

# arq closes its connection by a name that redis-py calls old.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")


def endings() -> set["asyncio.Task[Any]"]:
    """Return the tasks that write how jobs ended."""
    return {
        task
        for task in asyncio.all_tasks()
        if "finish_job" in getattr(task.get_coro(), "__qualname__", "")
    }


@asynccontextmanager
async def working(url: str, job: Callable[[], None]) -> AsyncIterator[JobWorker]:
    """A worker that has begun to run *job*, which is enqueued once."""
    ran = asyncio.Event()

    async def run(ctx: dict[str, Any], *_: object, **__: object) -> None:
        job()
        ran.set()

    worker = JobWorker(
        functions=[func(run, name="job")],
        redis_pool=connect_queue(url),
        queue_name="claimcast",
        poll_delay=0.01,
        handle_signals=False,
        job_serializer=dump_job,
        job_deserializer=load_job,
    )
    await worker.pool.enqueue_job("job")
    main = asyncio.create_task(worker.async_run())
    try:
        await asyncio.wait_for(ran.wait(), 60)
        yield worker
    finally:
        main.cancel()
        await asyncio.wait({main}, timeout=60)


async def test_the_end_of_a_job_is_written_before_the_worker_is_closed(valkey_url: str) -> None:
    async with working(valkey_url, lambda: None) as worker:
        await worker.stop_and_close()
    assert not endings()
    queue = connect_queue(valkey_url)
    assert await queue.zcard("claimcast") == 0, "the job is done, and not tried again"
    await queue.aclose(close_connection_pool=True)


async def test_the_end_of_a_job_that_cannot_be_written_is_given_up(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as embedded:
        url = embedded.start_or_join()
        pid = ValkeyServer(tmp_path).pid
        assert pid is not None
        async with working(url, lambda: os.kill(pid, signal.SIGKILL)) as worker:
            await wait_until(lambda: bool(endings()))
            await asyncio.wait_for(worker.stop_endings(), 60)
            assert not endings()
            await worker.pool.aclose(close_connection_pool=True)
