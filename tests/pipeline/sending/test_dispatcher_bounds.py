"""How far senders run ahead of the ledger: one kill makes no more messages uncertain."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from pipeline.domain.models import DeliveryStatus as Status
from pipeline.domain.models import Message
from pipeline.domain.tasks import stop
from pipeline.sending.result_writer import ResultWriter
from pipeline.store.deliveries import BatchKey, Fact
from tests.pipeline.channel import Answer, ScriptedChannel
from tests.pipeline.ledger import (
    Ledger,
    assert_sound,
)
from tests.pipeline.sending.dispatching import ready, records
from tests.pipeline.stages.stage_worker import sending
from tests.support.waiting import wait_until


class Slow:
    """A delivery store whose records wait as long as the test wants."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.gate = asyncio.Event()
        self.recorded = 0

    async def record(self, facts: Mapping[BatchKey, Sequence[Fact]]) -> int:
        await self.gate.wait()
        changed = await self._ledger.deliveries.record(facts)
        self.recorded += sum(len(found) for found in facts.values())
        return changed

    async def open_when_nothing_moves(self, sent: Sequence[Message]) -> None:
        """Open the gate whenever the senders cannot go on without it."""
        while True:
            before = len(sent)
            await turns(50)
            if len(sent) == before:
                self.gate.set()


async def turns(number: int) -> None:
    """Let all tasks run for that many rounds of the event loop."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_no_more_than_twice_the_connections_are_ever_unrecorded(ledger: Ledger) -> None:
    serial = await ready(ledger, 60)
    slow, channel = Slow(ledger), ScriptedChannel(connections=3)
    async with sending(ledger, channel) as worker:
        worker.result_writer._deliveries = slow  # type: ignore[assignment] # noqa: SLF001
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: len(channel.sent) >= 3)
        await turns(500)
        assert len(channel.sent) <= 6
        slow.gate.set()
        await working
    assert len(channel.sent) == 60
    assert channel.most_on_the_wire == 3
    assert not channel.crowded, "a channel with as many senders as connections cannot wait"
    await assert_sound(ledger, serial)


async def test_the_bound_holds_for_messages_that_wait_for_a_place(ledger: Ledger) -> None:
    serial = await ready(ledger, 60)
    slow, unrecorded = Slow(ledger), list[int]()
    channel = ScriptedChannel(connections=3, senders=6)

    def answer(_: Message) -> Answer:
        unrecorded.append(len(channel.sent) + 1 - slow.recorded)
        slow.gate.clear()
        return None

    channel.answer = answer
    async with sending(ledger, channel) as worker:
        worker.result_writer._deliveries = slow  # type: ignore[assignment] # noqa: SLF001
        opening = asyncio.create_task(slow.open_when_nothing_moves(channel.sent))
        await worker.work_once(serial)
        await stop(opening)
    assert len(channel.sent) == 60
    assert channel.most_on_the_wire == 6
    assert max(unrecorded) == 6
    await assert_sound(ledger, serial)


async def test_results_are_recorded_although_the_waiting_senders_are_cancelled(
    ledger: Ledger,
) -> None:
    serial = await ready(ledger, 10)
    slow, channel = Slow(ledger), ScriptedChannel(connections=2, senders=6)
    result_writer = ResultWriter(slow)  # type: ignore[arg-type]
    writing = asyncio.create_task(result_writer.run())
    async with sending(ledger, channel) as worker:
        worker.dispatcher._result_writer = result_writer  # noqa: SLF001
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: len(channel.sent) == 4 and channel.crowded)
    slow.gate.set()
    await asyncio.wait_for(result_writer.drained(), 60)
    assert not writing.done(), "it has to write what else comes"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await stop(writing)
    assert slow.recorded == 4


async def test_every_message_on_the_wire_has_its_intent_in_the_ledger(ledger: Ledger) -> None:
    serial = await ready(ledger, 5, email_uncertain="hold")
    channel = ScriptedChannel(connections=2)
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        working = asyncio.create_task(worker.work_once(serial))
        try:
            await wait_until(lambda: channel.on_the_wire == 2)
            found = await records(ledger, serial)
            assert [(record.status, record.attempt) for record in found[:2]] == [
                (Status.SENDING, 1)
            ] * 2
        finally:
            channel.gate.set()
            await working


@pytest.mark.parametrize(("policy", "most"), [("resend", 40), ("hold", 4)])
async def test_intents_run_ahead_as_far_as_their_loss_costs_nothing(
    ledger: Ledger, policy: str, most: int
) -> None:
    serial = await ready(ledger, 60, email_uncertain=policy)
    channel = ScriptedChannel(connections=2)
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        working = asyncio.create_task(worker.work_once(serial))

        async def full() -> bool:
            return await ledger.counted(serial, "d:sending") == [most]

        await wait_until(full)
        for _ in range(20):  # as many calls as more intents would need
            assert await full()
        channel.gate.set()
        await working
    assert await ledger.counted(serial, "d:sent") == [60]
