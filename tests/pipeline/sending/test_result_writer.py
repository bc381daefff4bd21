"""Facts are written in groups, and kept until they are written."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.domain.models import FactKind
from pipeline.sending.result_writer import ResultWriter
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    people,
    submit,
)
from tests.support.waiting import wait_until


class _Store:
    """The real store behind a line that can be cut."""

    def __init__(self, ledger: Ledger) -> None:
        self._deliveries = ledger.deliveries
        self.away: Exception | None = None
        self.lose_reply = False
        self.calls: list[int] = []

    async def record(self, facts: Mapping[Any, Any]) -> int:
        self.calls.append(sum(len(list(found)) for found in facts.values()))
        if self.away is not None:
            raise self.away
        changed = await self._deliveries.record(facts)
        if self.lose_reply:
            self.lose_reply = False
            raise RedisConnectionError
        return changed


@asynccontextmanager
async def recording(store: _Store) -> AsyncIterator[ResultWriter]:
    result_writer = ResultWriter(store)  # type: ignore[arg-type]
    task = asyncio.create_task(result_writer.run())
    try:
        yield result_writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def started(ledger: Ledger, number: int) -> Claim:
    serial = await submit(ledger, a_campaign(), [people(number)])
    found = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(found, [IntentRequest(i, EMAIL, 0) for i in range(number)])
    return found


def sent(index: int) -> Fact:
    return Fact(index, EMAIL, 1, FactKind.SENT)


async def test_results_that_gather_are_written_together_before_a_callback_is_called(
    ledger: Ledger,
) -> None:
    found, store = await started(ledger, 20), _Store(ledger)
    key = (found.unit.serial, 1)
    told: list[int] = []
    async with recording(store) as result_writer:
        for index in range(20):
            result_writer.add(key, sent(index), lambda index=index: told.append(index))  # type: ignore[misc]
        assert told == []
        await result_writer.drained()
    assert told == list(range(20))
    assert store.calls == [20]
    assert await ledger.counted(key[0], "d:sent") == [20]


async def test_facts_are_kept_over_an_outage_and_written_once(ledger: Ledger) -> None:
    found, store = await started(ledger, 3), _Store(ledger)
    key, told = (found.unit.serial, 1), []
    store.away = OSError()
    async with recording(store) as result_writer:
        result_writer.add(key, sent(0), lambda: told.append(0))
        await wait_until(lambda: store.calls)
        store.away = RedisConnectionError()
        result_writer.add(key, sent(1), lambda: told.append(1))
        await wait_until(lambda: len(store.calls) >= 2)
        assert told == [], "nobody may run ahead of what is recorded"
        store.away = None
        await result_writer.drained()
        assert told == [0, 1]
    assert await ledger.counted(key[0], "d:sent", "d:sending") == [2, 1]


async def test_a_write_whose_reply_was_lost_is_repeated_without_counting_twice(
    ledger: Ledger,
) -> None:
    found, store = await started(ledger, 1), _Store(ledger)
    store.lose_reply = True
    async with recording(store) as result_writer:
        result_writer.add(
            (found.unit.serial, 1),
            Fact(0, EMAIL, 1, FactKind.DEFERRED, "smtp_450", 60),
            lambda: None,
        )
        await result_writer.drained()
    assert len(store.calls) == 2
    (record,) = (await ledger.deliveries.read(found.unit.serial, 1))[0]
    assert record.tries == 1
    await assert_sound(ledger, found.unit.serial)


async def test_draining_waits_for_facts_that_are_added_during_a_write(ledger: Ledger) -> None:
    found, store = await started(ledger, 2), _Store(ledger)
    key, told = (found.unit.serial, 1), []
    async with recording(store) as result_writer:

        def and_one_more() -> None:
            told.append(0)
            result_writer.add(key, sent(1), lambda: told.append(1))

        result_writer.add(key, sent(0), and_one_more)
        await result_writer.drained()
        assert told == [0, 1]
