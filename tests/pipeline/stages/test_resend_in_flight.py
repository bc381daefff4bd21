"""A resend while a stage works on the batch: no message of an older resend starts after it."""

import asyncio

import pytest

from pipeline.domain.campaign import Window
from pipeline.domain.errors import InputError
from pipeline.domain.models import delivery_key
from pipeline.sending.quiet_hours import sort_by_window
from pipeline.store.formats.records import DeliveryRecord
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.ledger import Ledger, a_campaign, assert_sound, fulfilled, people, submit
from tests.pipeline.operations.resends import EMAIL, OTHER, a_minute_passes, resend
from tests.pipeline.stages.stage_worker import StageWorker, sending
from tests.support.waiting import wait_until


async def a_batch(ledger: Ledger, number: int) -> str:
    serial = await submit(ledger, a_campaign("c"), [people(number)])
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    return serial


async def finish(worker: StageWorker, serial: str) -> None:
    while await worker.work_once(serial):
        pass


async def test_the_second_message_has_the_same_link_and_another_key(ledger: Ledger) -> None:
    serial, channel = await a_batch(ledger, 3), ScriptedChannel()
    async with sending(ledger, channel) as worker:
        await finish(worker, serial)
        await a_minute_passes(ledger, serial)
        await resend(ledger, serial, "r-1")
        await finish(worker, serial)
    first, second = [m for m in channel.sent if m.to == "person1@example.com"]
    assert first.content == second.content
    assert [first.key, second.key] == [delivery_key("c", "r-1", EMAIL, n) for n in (1, 2)]
    assert len(channel.sent) == 4
    await assert_sound(ledger, serial)
    assert "fin" in await ledger.counters(serial)


async def test_a_message_goes_only_to_an_address_that_is_corrected_meanwhile(
    ledger: Ledger,
) -> None:
    serial, channel = await a_batch(ledger, 60), ScriptedChannel(connections=1)
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        work_once = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire > 0)
        # The first twenty are intended; the stage holds the rest with their old addresses.
        await resend(ledger, serial, "r-59", EMAIL, OTHER)
        with pytest.raises(InputError, match="on its way"):
            await resend(ledger, serial, "r-0", EMAIL, OTHER, elsewhere=True)
        channel.gate.set()
        await work_once
        await finish(worker, serial)
    received = channel.received()
    assert "person59@example.com" not in received
    assert len(received[OTHER]) == 1
    assert set(channel.messages().values()) == {1}
    assert len(received) == 60
    await assert_sound(ledger, serial)


def test_quiet_hours_defer_the_resend_that_waits() -> None:
    window = Window(start="09:00", end="20:00", timezone="UTC")
    waiting = [(0, DeliveryRecord(channel=EMAIL, resend_number=2))]
    midnight = 1_700_006_400.0
    [wait] = sort_by_window(window, EMAIL, waiting, people(1), midnight).waits
    assert wait.resend_number == 2
