"""While a batch is written the next one is read; after any failure nothing is left of both."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import redis as blocking

from pipeline.domain.errors import InputError, UnavailableError
from pipeline.intake.recipients import check_recipients
from pipeline.intake.submission import Submission
from pipeline.store.lookups import id_digest
from tests.pipeline.intake.builders import a_campaign
from tests.pipeline.intake.test_submission import left_behind
from tests.pipeline.ledger import Ledger, assert_sound
from tests.support.redis import Redis
from tests.support.waiting import wait_until, wait_until_sync

BATCH = 100


@pytest.fixture(autouse=True)
async def _every_task_is_seen_to_its_end() -> AsyncIterator[None]:
    complaints: list[object] = []
    loop, before = asyncio.get_running_loop(), asyncio.all_tasks()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
    gc.collect()  # an exception that nobody retrieved is reported then
    assert complaints == []


@pytest.fixture
def server(valkey_url: str) -> Iterator[blocking.Redis]:
    """A client for use in the midst of reading, where nothing can be awaited."""
    with blocking.Redis.from_url(valkey_url) as client:
        yield client


class Reading:
    """A list of people that counts how many were read, and acts before one is read."""

    def __init__(self, people: int = 5 * BATCH) -> None:
        self.people = people
        self.read = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        while self.read < self.people:
            self.reached(self.read)
            self.read += 1
            yield {"id": f"r{self.read}", "email": f"p{self.read}@example.com"}

    def reached(self, number: int) -> None: ...


def a_submission(ledger: Ledger, people: Reading) -> Submission:
    campaign = a_campaign()
    return Submission(
        ledger.intake_ledger(BATCH),
        campaign,
        check_recipients(people, campaign),
        actor="ann",
        expected_rows=1,
    )


async def take_away(ledger: Ledger, redis: Redis, person: int) -> None:
    """Let the ledger have the id of *person* already."""
    digest = id_digest(ledger.vault, "1", f"r{person}")
    await redis.hset("cc:1:x:0", digest, "9999")


class HeldUp(Reading):
    """A server that accepts no write from the first row on."""

    def __init__(self, server: blocking.Redis) -> None:
        super().__init__()
        self.server = server

    def reached(self, number: int) -> None:
        if number == 0:
            self.server.client_pause(600_000, all=False)

    @asynccontextmanager
    async def until_one_batch_is_ahead(self) -> AsyncIterator[None]:
        try:
            await wait_until(lambda: self.read >= 2 * BATCH)
            yield
        finally:
            self.server.client_unpause()


async def test_one_batch_is_read_while_another_is_written_and_no_more(
    ledger: Ledger, server: blocking.Redis
) -> None:
    people = HeldUp(server)
    task = asyncio.create_task(a_submission(ledger, people).run())
    async with people.until_one_batch_is_ahead():
        assert people.read == 2 * BATCH
    done = await task
    assert await ledger.counted(done.serial, "n", "nb") == [5 * BATCH, 5]
    await assert_sound(ledger, done.serial)


async def test_a_batch_is_at_the_server_before_the_next_is_read(
    ledger: Ledger, server: blocking.Redis
) -> None:
    class Patient(Reading):
        def reached(self, number: int) -> None:
            # While this waits, nothing else runs in this process.
            if number == 2 * BATCH:  # with the first the server was given the script
                wait_until_sync(lambda: server.exists("cc:1:r:2"))

    assert (await a_submission(ledger, Patient()).run()).created


async def test_an_interrupt_while_a_batch_is_written_leaves_nothing_behind(
    ledger: Ledger, redis: Redis, server: blocking.Redis
) -> None:
    people = HeldUp(server)
    task = asyncio.create_task(a_submission(ledger, people).run())
    async with people.until_one_batch_is_ahead():
        under_way = asyncio.all_tasks() - {task, asyncio.current_task()}
        task.cancel()
        # The server still takes no write, so what was to be written has not come to its end.
        await wait_until(lambda: all(each.done() for each in under_way))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left_behind(redis) == set()


@pytest.mark.parametrize("person", [7, 3 * BATCH, 5 * BATCH])
async def test_an_id_that_the_ledger_has_is_reported_in_any_batch(
    ledger: Ledger, redis: Redis, person: int
) -> None:
    await take_away(ledger, redis, person)
    with pytest.raises(InputError, match=f"^line {person}: this id stands in the list already"):
        await a_submission(ledger, Reading()).run()
    assert await left_behind(redis) == set()


class Broken(Reading):
    """A reader whose temporary directory is full when the second batch is read."""

    def reached(self, number: int) -> None:
        if number == BATCH:
            msg = "no room"
            raise UnavailableError(msg)


async def test_a_reader_that_fails_while_a_batch_is_written_leaves_nothing_behind(
    ledger: Ledger, redis: Redis
) -> None:
    with pytest.raises(UnavailableError, match="no room"):
        await a_submission(ledger, Broken()).run()
    assert await left_behind(redis) == set()


async def test_what_the_write_has_found_is_reported_although_the_reader_fails_too(
    ledger: Ledger, redis: Redis
) -> None:
    await take_away(ledger, redis, 7)
    with pytest.raises(InputError, match="line 7: this id"):
        await a_submission(ledger, Broken()).run()
    assert await left_behind(redis) == set()


async def test_a_submit_that_was_abandoned_meanwhile_ends_at_once(
    ledger: Ledger, redis: Redis, server: blocking.Redis
) -> None:
    class GivenUp(Reading):
        def reached(self, number: int) -> None:
            if number == BATCH:
                server.hdel("cc:staging", "survey-2026-11")

    people = GivenUp()
    with pytest.raises(InputError, match="given up; run it again"):
        await a_submission(ledger, people).run()
    assert people.read <= 3 * BATCH
    # The process that abandoned it removes what it wrote, as a sweep does after a death.
    await redis.sadd("cc:discarded", "1")
    await ledger.staging.sweep()
    assert await left_behind(redis) == set()
