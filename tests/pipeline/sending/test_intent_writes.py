"""Intents are written one by one, or all at once where each waits for the disk."""

import asyncio

import pytest

from pipeline.sending.intent_writes import IntentWrites
from tests.support.waiting import wait_until


class Disk:
    """Writes that start at once and end, or fail, when the test lets them."""

    def __init__(self) -> None:
        self.begun = self.ended = self.stopped = 0
        self.turns = asyncio.Event()

    async def intent_write(self, error: Exception | None = None) -> None:
        self.begun += 1
        try:
            await self.turns.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if error is not None:
            raise error
        self.ended += 1


async def test_one_by_one_each_write_ends_before_the_next_begins() -> None:
    disk = Disk()
    disk.turns.set()
    async with IntentWrites(at_once=False) as intent_writes:
        for number in range(3):
            assert disk.begun == disk.ended == number
            await intent_writes.add(disk.intent_write())


async def test_at_once_all_begin_and_the_block_ends_with_the_last() -> None:
    disk = Disk()

    async def launch_all() -> None:
        async with IntentWrites(at_once=True) as intent_writes:
            for _ in range(3):
                await intent_writes.add(disk.intent_write())

    task = asyncio.create_task(launch_all())
    await wait_until(lambda: disk.begun == 3)
    assert not task.done()
    disk.turns.set()
    await task
    assert disk.ended == 3


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_failure_is_raised_as_it_is(*, at_once: bool) -> None:
    disk = Disk()
    disk.turns.set()
    with pytest.raises(ZeroDivisionError):
        async with IntentWrites(at_once=at_once) as intent_writes:
            await intent_writes.add(disk.intent_write(ZeroDivisionError()))
    assert disk.begun == 1


async def test_after_a_failure_no_other_begins() -> None:
    disk = Disk()
    disk.turns.set()

    async def launch_twice() -> None:
        async with IntentWrites(at_once=True) as intent_writes:
            await intent_writes.add(disk.intent_write(ZeroDivisionError()))
            await wait_until(lambda: disk.begun)
            await intent_writes.add(disk.intent_write())
            pytest.fail("nobody was told")

    with pytest.raises(ZeroDivisionError):
        await launch_twice()


async def test_a_failure_in_the_block_stops_what_still_waits() -> None:
    disk = Disk()

    async def fail_meanwhile() -> None:
        async with IntentWrites(at_once=True) as intent_writes:
            await intent_writes.add(disk.intent_write())
            await wait_until(lambda: disk.begun)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_meanwhile()
    assert disk.stopped == 1
