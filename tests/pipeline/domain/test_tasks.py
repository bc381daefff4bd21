"""Work that has to be finished is finished, although its caller is cancelled."""

import asyncio

import pytest

from pipeline.domain.tasks import finish


async def test_work_is_finished_although_its_caller_is_cancelled() -> None:
    began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await go_on.wait()
        ended.set()

    caller = asyncio.create_task(finish(work()))
    await began.wait()
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_an_error_in_finished_work_is_raised() -> None:
    async def work() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await finish(work())
