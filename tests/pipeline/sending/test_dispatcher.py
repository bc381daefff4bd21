"""The senders of one channel, over a channel that answers as the test says."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.domain.errors import (
    BlockedError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import BatchState, Message
from pipeline.domain.models import DeliveryStatus as Status
from pipeline.domain.tasks import stop
from pipeline.sending.delivery_decisions import RetryPolicy
from pipeline.sending.dispatcher import Dispatcher, OutgoingMessage
from pipeline.sending.result_writer import ResultWriter
from pipeline.store.rate_limiter import Limiter
from pipeline.store.scripts import Scripts
from pipeline.store.suppressions import Suppressions
from tests.pipeline.channel import Answer, ScriptedChannel
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    assert_sound,
    links_of,
    make_due,
    pump,
    retried,
)
from tests.pipeline.sending.dispatching import ready, records, state
from tests.pipeline.stages.stage_worker import sending
from tests.support.waiting import wait_until


def always(error: Callable[[], Exception]) -> Callable[[Message], Answer]:
    return lambda _: error()


async def test_everybody_gets_their_own_link_once(ledger: Ledger) -> None:
    serial = await ready(ledger, 20)
    async with sending(ledger, ScriptedChannel()) as worker:
        assert await worker.work_once(serial) == 1
        expected = {
            f"person{i}@example.com": {link} for i, link in enumerate(links_of("1", 1, 20))
        }
        assert worker.channel.received() == expected
        assert set(worker.channel.messages().values()) == {1}
        assert await worker.work_once(serial) == 0
    assert await state(ledger, serial) is BatchState.DONE
    await assert_sound(ledger, serial)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (lambda: PermanentError("smtp_550"), Status.FAILED, "smtp_550"),
        (lambda: TransientError("smtp_450"), Status.PENDING, "smtp_450"),
        (lambda: UncertainError("timeout"), Status.UNCERTAIN, "timeout"),
        (lambda: BlockedError("smtp_down"), Status.PENDING, "smtp_down"),
        (lambda: RuntimeError("https://secret.example"), Status.UNCERTAIN, "internal_error"),
    ],
)
async def test_a_failure_of_one_message_does_not_concern_others(
    ledger: Ledger, error: Callable[[], Exception], status: Status, code: str
) -> None:
    serial = await ready(ledger, 3)
    channel = ScriptedChannel()
    channel.answer = lambda message: error() if message.to.startswith("person1") else None
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
    found = await records(ledger, serial)
    assert [record.status for record in found] == [Status.SENT, status, Status.SENT]
    assert found[1].code == code
    await assert_sound(ledger, serial)


async def test_a_message_that_cannot_be_composed_fails_and_is_not_sent(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    serial = await ready(ledger, 3)
    channel = ScriptedChannel(broken={"r-1"})
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
    assert (await records(ledger, serial))[1].code == "compose_error"
    assert set(channel.messages()) == {"person0@example.com", "person2@example.com"}
    printed = capsys.readouterr()
    assert "claim.example" not in printed.out + printed.err


async def test_an_uncertain_message_is_repeated_with_the_same_key_and_link(
    ledger: Ledger,
) -> None:
    serial = await ready(ledger, 1)
    seen: list[Message] = []

    def lost_once(message: Message) -> Answer:
        seen.append(message)
        return UncertainError("timeout") if len(seen) == 1 else None

    channel = ScriptedChannel(answer=lost_once)
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
        assert await ledger.counted(serial, "d:uncertain") == [1]
        # Its delay is over.
        await ledger.redis.hset(f"cc:{serial}:d:1", "0", "ue1.1.1.0.0.timeout")
        await worker.work_once(serial)
    assert seen[0] == seen[1]
    assert await state(ledger, serial) is BatchState.DONE


# Leases and halts


async def test_what_waits_when_the_lease_is_lost_is_never_sent(ledger: Ledger) -> None:
    serial = await ready(ledger, 10)
    channel = ScriptedChannel(connections=2)
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire == 2)
        for lease in worker.leases._active:  # noqa: SLF001 - as the heartbeat does
            lease.lost = True
        channel.gate.set()
        await working
    assert channel.sent == []
    assert {record.status for record in await records(ledger, serial)} == {Status.PENDING}
    assert {record.tries for record in await records(ledger, serial)} == {0}
    await assert_sound(ledger, serial)


async def test_a_pause_releases_what_is_not_on_the_wire(ledger: Ledger) -> None:
    serial = await ready(ledger, 10)
    channel = ScriptedChannel(connections=2)
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire == 2)
        await ledger.campaigns.steer(serial, "pause")
        worker.leases.halt({serial})
        channel.gate.set()
        await working
        assert channel.sent == []
        assert await worker.work_once(serial) == 0
        await ledger.campaigns.steer(serial, "resume")
        await worker.work_once(serial)
    assert len(channel.sent) == 10
    assert set(channel.messages().values()) == {1}


async def test_what_waits_when_its_window_closes_is_never_sent(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = await ready(ledger, 4)
    channel, handed = ScriptedChannel(connections=2), list[OutgoingMessage]()
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        enqueue = worker.dispatcher.enqueue

        def enqueue_and_keep(outgoing: OutgoingMessage) -> None:
            handed.append(outgoing)
            enqueue(outgoing)

        monkeypatch.setattr(worker.dispatcher, "enqueue", enqueue_and_keep)
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire == 2)
        for outgoing in handed:
            outgoing.closes_at = time.time()
        channel.gate.set()
        await working
    assert channel.sent == []
    found = {(each.status, each.tries, each.code) for each in await records(ledger, serial)}
    assert found == {(Status.PENDING, 0, "window_closed")}


async def test_cancelled_senders_leave_uncertain_messages_and_lose_none(ledger: Ledger) -> None:
    serial = await ready(ledger, 4)
    channel = ScriptedChannel(connections=2)
    channel.gate.clear()
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(sending(ledger, channel))
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire == 2)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert channel.sent == []
    channel.gate.set()
    await assert_sound(ledger, serial)
    async with sending(ledger, channel) as worker:
        await ledger.redis.hset(f"cc:{serial}:b:1", "lu", "1")
        await worker.work_once(serial)
    assert len(channel.received()) == 4
    assert await state(ledger, serial) is BatchState.DONE


# The provider's own failures


async def test_the_breaker_stops_the_channel_and_costs_nobody_a_try(ledger: Ledger) -> None:
    serial = await ready(ledger, 40)
    tried = 0

    def down(_: Message) -> Answer:
        nonlocal tried
        tried += 1
        return BlockedError("smtp_down")

    class ForLong(Limiter):
        """A failure whose silence lasts longer than the test."""

        async def trip(self, channel: str, reason: str, **_: float) -> float:
            return await super().trip(channel, reason, first=3000, longest=3000)

    async with sending(ledger, ScriptedChannel(connections=2, answer=down)) as worker:
        scripts = Scripts(ledger.redis)
        worker.dispatcher._limiter = ForLong(ledger.redis, scripts, {}, Measurements())  # noqa: SLF001
        await worker.work_once(serial)
        assert tried <= 8, "the rest was let go when the breaker opened"
        await make_due(ledger, serial)
        assert await pump(ledger) == [], "nor is there a permit to get"
    found = await records(ledger, serial)
    assert {(record.status, record.tries) for record in found} == {(Status.PENDING, 0)}
    assert (await ledger.limiter.breaker("email")).reason == "smtp_down"
    await assert_sound(ledger, serial)


async def test_a_success_closes_the_breaker(ledger: Ledger) -> None:
    serial = await ready(ledger, 3)
    for _ in range(3):
        await ledger.limiter.trip("email", "smtp_down")
    async with sending(ledger, ScriptedChannel()) as worker:
        await worker.work_once(serial)
    assert (await ledger.limiter.breaker("email")).failures == 0


async def test_a_wrong_password_blocks_the_campaign_at_once_and_fails_nobody(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No sooner over than the test.
    monkeypatch.setattr("pipeline.sending.dispatcher._FATAL_PAUSE", 3000.0)
    serials = [await ready(ledger, 20), await ready(ledger, 20, "d")]
    third = await ready(ledger, 1, "e")
    await ledger.campaigns.steer(third, "pause")
    await make_due(ledger, serials[1])
    channel = ScriptedChannel(connections=2)
    channel.answer = always(lambda: BlockedError("smtp_auth", "no such user", fatal=True))
    async with sending(ledger, channel) as worker:
        await worker.work_once(serials[0])
        found = [(await ledger.counters(serial)).get("blk:s") for serial in serials]
        assert "smtp_auth" in found, "whichever of the two was the first on the wire"
        assert set(found) <= {"smtp_auth", None}
        await ledger.campaigns.steer(third, "resume")
        assert await pump(ledger) == [], "the channel is silent for the others as well"
    for serial in serials:
        await assert_sound(ledger, serial)
        assert await ledger.counted(serial, "d:pending", "d:failed") == [20, 0]
        assert max(record.attempt for record in await records(ledger, serial)) <= 2


async def test_a_result_is_recorded_even_if_the_breaker_cannot_be_updated(ledger: Ledger) -> None:
    serial = await ready(ledger, 2)

    class Deaf(Limiter):
        async def close_breaker(self, channel: str) -> None:
            raise RedisConnectionError

    async with sending(ledger, ScriptedChannel()) as worker:
        scripts = Scripts(ledger.redis)
        worker.dispatcher._limiter = Deaf(ledger.redis, scripts, {}, Measurements())  # noqa: SLF001
        await worker.work_once(serial)
    assert await ledger.counted(serial, "d:sent") == [2]


async def test_a_result_is_recorded_if_senders_are_cancelled_in_a_breaker_update(
    ledger: Ledger,
) -> None:
    serial = await ready(ledger, 1)
    asked = asyncio.Event()

    class Busy(Limiter):
        async def close_breaker(self, channel: str) -> None:
            asked.set()
            await asyncio.Event().wait()

    result_writer = ResultWriter(ledger.deliveries)
    writing = asyncio.create_task(result_writer.run())
    async with sending(ledger, ScriptedChannel()) as worker:
        scripts = Scripts(ledger.redis)
        worker.dispatcher._limiter = Busy(ledger.redis, scripts, {}, Measurements())  # noqa: SLF001
        worker.dispatcher._result_writer = result_writer  # noqa: SLF001
        working = asyncio.create_task(worker.work_once(serial))
        await asyncio.wait_for(asked.wait(), 60)
    await asyncio.wait_for(result_writer.drained(), 60)
    await asyncio.wait_for(working, 60)
    await stop(writing)
    assert await ledger.counted(serial, "d:sent") == [1]


async def test_a_lost_batch_of_links_is_never_guessed_at(ledger: Ledger) -> None:
    serial = await ready(ledger, 3)
    sealed = ledger.vault.seal(b"https://x.example/1\nhttps://x.example/2", f"links:{serial}:1")
    await ledger.redis.set(f"cc:{serial}:k:1", sealed)
    async with sending(ledger, ScriptedChannel()) as worker:
        await asyncio.wait_for(worker.work_once(serial), 60)
        assert worker.channel.sent == []
    assert await ledger.counted(serial, "d:pending", "d:sending") == [3, 0]
    await assert_sound(ledger, serial)


async def test_a_place_that_is_given_back_can_be_reserved_again(ledger: Ledger) -> None:
    result_writer, channel = ResultWriter(ledger.deliveries), ScriptedChannel(connections=2)
    policy = RetryPolicy(first=1, cap=2, give_up=3)
    suppressions = Suppressions(ledger.redis, ledger.vault)
    dispatcher = Dispatcher(
        channel,
        result_writer,
        ledger.limiter,
        ledger.campaigns,
        policy,
        suppressions,
        measurements=Measurements(),
    )
    assert await dispatcher.reserve(100, resends=False) == 4
    waiting = asyncio.create_task(dispatcher.reserve(100, resends=False))
    await asyncio.sleep(0)
    assert not waiting.done()
    dispatcher.give_back(3)
    assert await waiting == 3


async def test_a_dead_address_is_suppressed_in_the_step_that_records_the_result(
    ledger: Ledger,
) -> None:
    serial = await ready(ledger, 1)
    channel = ScriptedChannel()
    channel.answer = always(lambda: PermanentError("smtp_550_5.1.1", "gone", suppress=True))
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
    assert await ledger.counted(serial, "d:failed") == [1]
    suppressions = Suppressions(ledger.redis, ledger.vault)
    found = await suppressions.reasons([(EMAIL, "person0@example.com")])
    assert found == ["smtp_550_5.1.1"]


@pytest.mark.parametrize(
    ("why", "counts"),
    [
        ("smtp_550_5.1.1", [0, 1]),
        ("operator", [1, 0]),
        ("unsubscribed", [1, 0]),
        ("twilio_21610", [1, 0]),
    ],
)
async def test_a_retry_does_not_count_a_dead_address_as_reached(
    ledger: Ledger, why: str, counts: list[int]
) -> None:
    serial = await ready(ledger, 1)
    channel = ScriptedChannel()
    channel.answer = always(lambda: PermanentError("smtp_550", "no"))
    suppressions = Suppressions(ledger.redis, ledger.vault)
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
        await suppressions.add(EMAIL, "person0@example.com", why)
        assert await retried(ledger, serial, failed=True) == (1, 0)
        await worker.work_once(serial)
    assert await ledger.counted(serial, "p:reached", "p:not_reached") == counts
    assert len(channel.sent) == 0
    await assert_sound(ledger, serial)
