"""The checks right before a message is sent: suppression list, window, earlier attempts."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.domain.errors import (
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import ChannelName, FactKind, Message, Receipt
from pipeline.domain.models import DeliveryStatus as Status
from pipeline.domain.ports import SendGuard
from pipeline.sending.delivery_decisions import decide_look
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.suppressions import Suppressions
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    people,
    submit,
    taken,
)
from tests.pipeline.stages.stage_worker import sending
from tests.support.server_clock import server_time


@dataclass
class SearchableChannel(ScriptedChannel):
    """An SMS channel whose provider can be searched; `has` is what it knows of a number."""

    name: ChannelName = ChannelName.SMS
    has: dict[str, Receipt | DeliveryError] = field(default_factory=dict)
    looks: int = 0
    opened: float = field(default_factory=time.time)
    asked_to_send: float = 0.0

    async def send(self, message: Message, send_guard: SendGuard) -> Receipt:
        self.asked_to_send = time.time()
        return await super().send(message, send_guard)

    async def look_up(
        self, message: Message, *, not_before: float
    ) -> Receipt | DeliveryError | None:
        # The search begins at the intent: later would miss it, earlier would find another one.
        assert self.opened - 0.01 <= not_before <= self.asked_to_send
        self.looks += 1
        return self.has.get(message.to)


async def a_batch(ledger: Ledger, number: int, channels: list[str], **more: Any) -> str:  # noqa: ANN401 - see a_campaign
    campaign = a_campaign("c", channels=channels, **more)
    serial = await submit(ledger, campaign, [people(number, phone=True)])
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    return serial


async def only(ledger: Ledger, serial: str) -> list[DeliveryRecord]:
    found = await ledger.deliveries.read(serial, 1)
    return [record for index in sorted(found) for record in found[index]]


async def test_a_suppressed_address_is_not_written_to_and_the_next_channel_is_tried(
    ledger: Ledger,
) -> None:
    serial = await a_batch(ledger, 3, ["email", "sms"])
    await Suppressions(ledger.redis, ledger.vault).add(
        ChannelName.EMAIL, "Person1@example.com", "unsubscribed"
    )
    channel = ScriptedChannel()
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)

    assert set(channel.received()) == {"person0@example.com", "person2@example.com"}
    first, second = (await ledger.deliveries.read(serial, 1))[1]
    assert (first.channel, first.status) == (ChannelName.EMAIL, Status.SUPPRESSED)
    assert (second.channel, second.status) == (ChannelName.SMS, Status.PENDING)
    await assert_sound(ledger, serial)


async def test_a_dead_address_is_put_on_the_list_for_every_campaign(ledger: Ledger) -> None:
    serial = await a_batch(ledger, 2, ["email"])
    channel = ScriptedChannel()
    channel.answer = lambda message: (
        PermanentError("smtp_550_5.1.1", suppress=True) if "person1" in message.to else None
    )
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)

    suppressions = Suppressions(ledger.redis, ledger.vault)
    addresses = [(ChannelName.EMAIL, f"person{n}@example.com") for n in range(2)]
    assert await suppressions.reasons(addresses) == [None, "smtp_550_5.1.1"]


async def test_outside_of_the_window_nothing_is_sent_and_the_ledger_says_until_when(
    ledger: Ledger,
) -> None:
    opens = (datetime.now(UTC) + timedelta(hours=2)).replace(second=0, microsecond=0)
    window = {
        "start": opens.strftime("%H:%M"),
        "end": (opens + timedelta(hours=1)).strftime("%H:%M"),
        "timezone": "UTC",
    }
    delivery = {"channels": ["email"], "window": window}
    serial = await a_batch(ledger, 2, ["email"], delivery=delivery)
    channel = ScriptedChannel()
    async with sending(ledger, channel) as worker:
        began = await server_time(ledger.redis)
        await worker.work_once(serial)
        assert channel.sent == []
        soonest = await ledger.batches.next_due()
    ended = await server_time(ledger.redis)
    assert soonest is not None
    assert opens.timestamp() - ended - 0.01 <= soonest <= opens.timestamp() - began + 0.01
    assert {record.code for record in await only(ledger, serial)} == {"window"}
    assert await ledger.counted(serial, "d:pending", "d:sending") == [2, 0]
    await assert_sound(ledger, serial)


async def test_inside_of_the_window_everybody_is_sent(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    window = {
        "start": (now - timedelta(hours=1)).strftime("%H:%M"),
        "end": (now + timedelta(hours=1)).strftime("%H:%M"),
        "timezone": "recipient",
    }
    delivery = {"channels": ["email"], "window": window}
    serial = await a_batch(ledger, 2, ["email"], delivery=delivery)
    channel = ScriptedChannel()
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
    assert len(channel.sent) == 2


async def test_an_uncertain_message_that_the_provider_has_is_not_sent_again(
    ledger: Ledger,
) -> None:
    serial = await a_batch(
        ledger, 1, ["sms"], sms={"body": "{{ link }}", "on_uncertain": "resend"}
    )
    channel = SearchableChannel(has={"person0@example.com": Receipt()})
    answers = [UncertainError("twilio_reset")]
    channel.answer = lambda _: answers.pop()  # a second attempt would find nothing to answer
    async with sending(ledger, channel, look_every=0) as worker:
        await worker.work_once(serial)
        await worker.work_once(serial)

    assert (answers, channel.looks) == ([], 1)
    assert [record.status for record in await only(ledger, serial)] == [Status.SENT]
    counted = ledger.limiter._measurements.drain()  # noqa: SLF001 - what the fleet's metrics show
    assert counted["permits|sms"] == 1, "a look takes no permit to send"
    await assert_sound(ledger, serial)


@pytest.mark.parametrize("policy", ["hold", "resend"])
async def test_the_policy_decides_what_three_searches_do_not_find(
    ledger: Ledger, policy: str
) -> None:
    serial = await a_batch(ledger, 1, ["sms"], sms={"body": "{{ link }}", "on_uncertain": policy})
    channel = SearchableChannel()
    answers = [UncertainError("twilio_reset"), None]
    channel.answer = lambda _: answers.pop(0)
    async with sending(ledger, channel, look_every=0) as worker:
        for _ in range(6):
            await worker.work_once(serial)

    assert channel.looks == 3
    [record] = await only(ledger, serial)
    if policy == "hold":
        assert (record.status, record.code) == (Status.UNCERTAIN, "unconfirmed")
        assert await ledger.counted(serial, "b:held", "h:uncertain") == [1, 1]
        assert channel.sent == []
    else:
        assert record.status is Status.SENT
        assert len(channel.sent) == 1
    await assert_sound(ledger, serial)


async def test_an_unknown_refusal_tries_no_other_channel(ledger: Ledger) -> None:
    serial = await a_batch(ledger, 1, ["sms", "email"])
    channel = SearchableChannel()
    channel.answer = lambda _: PermanentError("twilio_99999", fallback=False)
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)

    assert [record.status for record in await only(ledger, serial)] == [Status.FAILED]
    assert await ledger.counted(serial, "p:not_reached") == [1]
    await assert_sound(ledger, serial)


async def test_an_uncertain_mail_waits_for_its_window_as_well(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    window = {
        "start": (now + timedelta(hours=2)).strftime("%H:%M"),
        "end": (now + timedelta(hours=3)).strftime("%H:%M"),
        "timezone": "UTC",
    }
    delivery = {"channels": ["email"], "window": window}
    serial = await a_batch(ledger, 1, ["email"], delivery=delivery)
    found = await taken(ledger, serial)
    await ledger.deliveries.intend(found, [IntentRequest(0, ChannelName.EMAIL, 0)])
    await ledger.deliveries.record(
        {(serial, 1): [Fact(0, ChannelName.EMAIL, 1, FactKind.UNCERTAIN, "smtp_lost")]}
    )
    await ledger.batches.distributed(found, delay=0)

    async with sending(ledger, ScriptedChannel()) as worker:
        await worker.work_once(serial)
        soonest = await ledger.batches.next_due()

    assert soonest is not None
    assert soonest > 3600, "it would be worked on in a circle all night"
    [record] = await only(ledger, serial)
    assert (record.status, record.code) == (Status.UNCERTAIN, "smtp_lost")


async def test_a_person_who_unsubscribes_from_an_uncertain_mail_gets_no_sms(
    ledger: Ledger,
) -> None:
    serial = await a_batch(ledger, 1, ["email", "sms"])
    found = await taken(ledger, serial)
    await ledger.deliveries.intend(found, [IntentRequest(0, ChannelName.EMAIL, 0)])
    await ledger.deliveries.record(
        {(serial, 1): [Fact(0, ChannelName.EMAIL, 1, FactKind.UNCERTAIN, "smtp_lost")]}
    )
    suppressions = Suppressions(ledger.redis, ledger.vault)
    await suppressions.add(ChannelName.EMAIL, "person0@example.com", "unsubscribed")
    place = suppressions.key_of(ChannelName.EMAIL, "person0@example.com")

    granted = await ledger.deliveries.intend(
        found, [IntentRequest(0, ChannelName.EMAIL, 1, place)]
    )

    assert granted == [0]
    [record] = await only(ledger, serial)
    assert (record.status, record.code) == (Status.UNCERTAIN, "unconfirmed")
    await assert_sound(ledger, serial)


async def test_a_clock_that_is_set_back_leaves_readable_records(ledger: Ledger) -> None:
    serial = await a_batch(ledger, 1, ["email"])
    found = await taken(ledger, serial)
    epoch = int((await ledger.counters(serial))["t0"])
    await ledger.redis.hset(f"cc:{serial}", "t0", str(epoch + 60_000))

    await ledger.deliveries.intend(found, [IntentRequest(0, ChannelName.EMAIL, 0)])
    await ledger.deliveries.record({(serial, 1): [Fact(0, ChannelName.EMAIL, 1, FactKind.SENT)]})

    [record] = await only(ledger, serial)
    assert (record.status, record.started_ms, record.after_ms) == (Status.SENT, 0, 0)


async def test_a_late_failure_report_does_not_end_a_retry_after_quiet_hours(
    ledger: Ledger,
) -> None:
    serial = await a_batch(ledger, 1, ["email"])
    found = await taken(ledger, serial)
    await ledger.deliveries.intend(found, [IntentRequest(0, ChannelName.EMAIL, 0)])
    failed = {(serial, 1): [Fact(0, ChannelName.EMAIL, 1, FactKind.FAILED, "smtp_550")]}
    await ledger.deliveries.record(failed)
    await ledger.batches.retry(serial, 1, failed=True, uncertain=False, held=False, adopt=False)
    await ledger.deliveries.record(
        {(serial, 1): [Fact(0, ChannelName.EMAIL, 1, FactKind.WAITING, "window", 9)]}
    )

    assert await ledger.deliveries.record(failed) == 0
    [record] = await only(ledger, serial)
    assert record.status is Status.PENDING


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (TransientError("twilio_30003"), FactKind.FAILED),
        (BlockedError("twilio_30007"), FactKind.FAILED_OUTRIGHT),
        (PermanentError("twilio_30005"), FactKind.FAILED),
        (PermanentError("twilio_99999", fallback=False), FactKind.FAILED_OUTRIGHT),
    ],
)
def test_a_message_that_the_provider_has_as_failed_is_not_looked_for_again(
    answer: DeliveryError, kind: FactKind
) -> None:
    assert decide_look(answer, "twilio_reset", resends=True, every=60).kind == kind
