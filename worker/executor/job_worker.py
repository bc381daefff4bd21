"""arq's worker, able to end every task that it began."""

import asyncio
import contextlib
from collections.abc import Iterator

from arq.worker import Worker

from pipeline.domain.tasks import stop
from pipeline.store.outages import STORE_ERRORS

_ENDING_SECONDS = 2.0  # far more than Redis takes for the ends of jobs, if it is there


class JobWorker(Worker):
    """
    arq's worker, which knows the tasks that end its jobs.

    arq shields the end of a job (its result, its removal) from a cancellation, in a task that
    nothing waits for. Over connections that try until Redis is back, such a task outlives the
    worker: a command that had stopped its embedded server never ended.
    """

    _endings: set["asyncio.Task[None]"] | None = None

    async def stop_and_close(self) -> None:
        """End all jobs and tasks, then let go of all connections; may be called twice."""
        running = (self.main_task, *self.tasks.values())
        await stop(*(task for task in running if task is not None))
        self.tasks.clear()
        await self.stop_endings()
        with contextlib.suppress(*STORE_ERRORS):
            await self.close()

    async def stop_endings(self) -> None:
        """Wait a moment until the ends of jobs are written, and stop those that are not."""
        if self._endings:
            _, late = await asyncio.wait(self._endings, timeout=_ENDING_SECONDS)
            await stop(*late)

    async def finish_job(
        self,
        job_id: str,
        finish: bool,  # noqa: FBT001 - arq's signature
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,  # noqa: FBT001 - as above
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        with self._noted():
            await super().finish_job(
                job_id,
                finish,
                result_data,
                result_timeout_s,
                keep_result_forever,
                incr_score,
                keep_in_progress,
            )

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        with self._noted():
            await super().finish_failed_job(job_id, result_data)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        if self._endings is None:
            self._endings = set()
        self._endings.add(task)
        try:
            yield
        finally:
            self._endings.discard(task)
