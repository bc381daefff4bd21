"""A person is erased on request: at any time, for good, without effect on others."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from redis import Redis as SyncRedis

from pipeline.domain.errors import InputError
from pipeline.domain.models import DeliveryStatus as Status
from pipeline.domain.models import FactKind
from pipeline.operations.erase_recipient import RecipientEraser
from pipeline.operations.replace_order import OrderReplacement, ReplacementPlan
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.formats.recipient_codec import ERASED_RECIPIENT
from pipeline.store.maintenance.erasures import Erased
from pipeline.verification.lookup_indexes import LookupIndexes
from pipeline.views.report import Report
from pipeline.views.timeline import Timelines
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.ledger import (
    EMAIL,
    SMS,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    held,
    lapse,
    links_of,
    people,
    placed,
    retried,
    submit,
    taken,
)
from tests.pipeline.stages.stage_worker import sending
from tests.pipeline.store.machines.ledger_machine import LedgerMachine
from tests.support.waiting import wait_until


def forgetting(ledger: Ledger) -> RecipientEraser:
    return RecipientEraser(ledger.pages, ledger.campaigns, ledger.erasures, ledger.vault)


async def forget(ledger: Ledger, serial: str, recipient: str = "r-0") -> Erased:
    return await forgetting(ledger).forget(await ledger.campaigns.snapshot(serial), recipient)


async def a_batch(ledger: Ledger, number: int = 2, **more: Any) -> tuple[str, Claim]:  # noqa: ANN401 - see a_campaign
    """Return a campaign of one batch with its links, and a claim that may send it."""
    serial = await submit(ledger, a_campaign(**more), [people(number, phone=True)])
    return serial, await fulfilled(ledger, serial)


async def states(ledger: Ledger, serial: str, index: int = 0) -> list[tuple[Status, str]]:
    found = (await assert_sound(ledger, serial)).records[1, index]
    return [(record.status, record.code) for record in found]


async def intend(ledger: Ledger, claim: Claim, *indexes: int, known: int = 0) -> list[int]:
    wanted = [IntentRequest(index, EMAIL, known) for index in indexes]
    return await ledger.deliveries.intend(claim, wanted)


async def tell(ledger: Ledger, serial: str, *facts: Fact) -> None:
    await ledger.deliveries.record({(serial, 1): facts})


async def rows(ledger: Ledger, serial: str) -> list[dict[str, Any]]:
    return [row async for row in Report(ledger.pages, ledger.vault).rows(serial, 1)]


# What goes, and what stays


async def test_name_addresses_variables_and_link_are_gone_and_others_keep_theirs(
    ledger: Ledger,
) -> None:
    serial, _ = await a_batch(ledger, 3)
    kept = people(3, phone=True)
    done = await forget(ledger, serial, "r-1")
    assert not done.before
    assert await ledger.campaigns.recipients(serial, 1) == [kept[0], ERASED_RECIPIENT, kept[2]]
    first, _, last = links_of(serial, 1, 3)
    assert await ledger.batches.links(serial, 1) == [first, "", last]


async def test_evidence_and_corrections_of_the_person_go_too(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    claim = await placed(ledger, serial)
    await ledger.batches.hold(claim, "links_many", evidence=b"{}", missing=0, reread=0)
    await ledger.redis.hset(f"cc:{serial}:a:1", mapping={"0": "sealed", "1": "sealed"})
    await forget(ledger, serial)
    assert await ledger.batches.evidence(serial, 1) == b""
    assert await ledger.redis.hkeys(f"cc:{serial}:a:1") == [b"1"]


async def test_a_second_erasure_returns_the_time_of_the_first(ledger: Ledger) -> None:
    serial, _ = await a_batch(ledger)
    first = await forget(ledger, serial)
    before = await ledger.redis.get(f"cc:{serial}:r:1")
    second = await forget(ledger, serial)
    assert (second.at_ms, second.before) == (first.at_ms, True)
    assert await ledger.redis.get(f"cc:{serial}:r:1") == before


async def test_several_people_of_one_batch_are_erased_at_once(ledger: Ledger) -> None:
    serial, _ = await a_batch(ledger, 9)
    await asyncio.gather(*(forget(ledger, serial, f"r-{n}") for n in range(8)))
    assert (
        await ledger.campaigns.recipients(serial, 1)
        == [ERASED_RECIPIENT] * 8 + people(9, phone=True)[8:]
    )
    assert await ledger.batches.links(serial, 1) == [""] * 8 + links_of(serial, 1, 9)[8:]


async def test_an_unknown_person_is_a_sentence(ledger: Ledger) -> None:
    serial, _ = await a_batch(ledger)
    with pytest.raises(InputError, match='has no recipient "r-9"'):
        await forget(ledger, serial, "r-9")


async def test_the_look_up_stays_and_the_timeline_says_when(ledger: Ledger) -> None:
    serial, _ = await a_batch(ledger)
    await forget(ledger, serial)
    snapshot = await ledger.campaigns.snapshot(serial)
    story = await Timelines(ledger.pages, ledger.campaigns, ledger.vault).of(snapshot, "r-0")
    assert story["forgotten_at"]
    assert (story["addresses"], story["link_ref"]) == ({}, None)
    places = LookupIndexes(ledger.lookups)
    assert await places.strays(snapshot) == []


async def test_the_report_keeps_the_row_without_id_and_link(ledger: Ledger) -> None:
    serial, _ = await a_batch(ledger)
    await forget(ledger, serial)
    gone, other = await rows(ledger, serial)
    assert (gone["recipient_id"], gone["link_ref"], gone["status"]) == ("", None, "skipped")
    assert gone["order_id"] == other["order_id"]
    assert (other["recipient_id"], other["status"]) == ("r-1", "pending")
    assert other["link_ref"]


# Nothing is sent any more


async def test_an_erased_person_who_was_sent_nothing_is_skipped(ledger: Ledger) -> None:
    serial, claim = await a_batch(ledger)
    await forget(ledger, serial)
    assert await states(ledger, serial) == [(Status.SKIPPED, "forgotten")]
    assert await intend(ledger, claim, 0, 1) == [0, 1]


@pytest.mark.parametrize("mode", ["first", "all"])
async def test_no_channel_is_left_to_them(ledger: Ledger, mode: str) -> None:
    serial, claim = await a_batch(ledger, channels=["email", "sms"], mode=mode)
    await intend(ledger, claim, 0)
    await forget(ledger, serial)
    await tell(ledger, serial, Fact(0, EMAIL, 1, FactKind.FAILED, "smtp_550"))
    found = await states(ledger, serial)
    assert (Status.FAILED, "smtp_550") in found
    assert {status for status, _ in found} <= {Status.FAILED, Status.SKIPPED}
    assert await ledger.deliveries.intend(claim, [IntentRequest(0, SMS, 0)]) == [0]


async def test_what_is_on_the_wire_may_settle(ledger: Ledger) -> None:
    serial, claim = await a_batch(ledger)
    await intend(ledger, claim, 0)
    assert (await forget(ledger, serial)).on_its_way
    assert await states(ledger, serial) == [(Status.SENDING, "")]
    await tell(ledger, serial, Fact(0, EMAIL, 1, FactKind.SENT))
    assert await states(ledger, serial) == [(Status.SENT, "")]


async def test_a_repeated_intent_is_not_granted_again(ledger: Ledger) -> None:
    serial, claim = await a_batch(ledger)
    await intend(ledger, claim, 0)
    await forget(ledger, serial)
    assert await intend(ledger, claim, 0) == [0]


@pytest.mark.parametrize("kind", [FactKind.DEFERRED, FactKind.RELEASED])
async def test_an_attempt_that_failed_for_now_is_not_repeated(
    ledger: Ledger, kind: FactKind
) -> None:
    serial, claim = await a_batch(ledger)
    await intend(ledger, claim, 0)
    await forget(ledger, serial)
    await tell(ledger, serial, Fact(0, EMAIL, 1, kind, "smtp_451"))
    assert await states(ledger, serial) == [(Status.SKIPPED, "forgotten")]
    assert await intend(ledger, claim, 0, known=1) == [0]


async def test_an_uncertain_message_stays_so_and_holds_nobody_up(ledger: Ledger) -> None:
    serial, claim = await a_batch(ledger, 1, email_uncertain="hold")
    await intend(ledger, claim, 0)
    await tell(ledger, serial, Fact(0, EMAIL, 1, FactKind.UNCERTAIN, "smtp_lost"))
    assert await ledger.batches.distributed(claim, delay=0) == "held"
    await forget(ledger, serial)
    assert await retried(ledger, serial, uncertain=True) == (0, 0)
    again = await taken(ledger, serial)
    assert await ledger.batches.distributed(again, delay=0) == "done"
    assert await states(ledger, serial) == [(Status.UNCERTAIN, "forgotten")]
    counters = await ledger.counters(serial)
    assert "fin" in counters
    assert (counters["d:uncertain"], counters["p:reached"]) == ("1", "1")
    await tell(ledger, serial, Fact(0, EMAIL, 1, FactKind.DELIVERED))
    assert await states(ledger, serial) == [(Status.DELIVERED, "")]


async def test_a_lost_worker_leaves_them_uncertain_for_good(ledger: Ledger) -> None:
    serial, claim = await a_batch(ledger, 1)
    await intend(ledger, claim, 0)
    await forget(ledger, serial)
    await lapse(ledger, serial)
    again = await taken(ledger, serial, nonce="other")
    assert await states(ledger, serial) == [(Status.UNCERTAIN, "forgotten")]
    assert await intend(ledger, again, 0, known=1) == [0]
    assert await ledger.batches.distributed(again, delay=0) == "done"


async def test_a_late_bounce_moves_nobody_to_the_next_channel(ledger: Ledger) -> None:
    serial, claim = await a_batch(ledger, 1, channels=["email", "sms"])
    await intend(ledger, claim, 0)
    await tell(ledger, serial, Fact(0, EMAIL, 1, FactKind.SENT))
    await ledger.batches.distributed(claim, delay=0)
    await forget(ledger, serial)
    await tell(ledger, serial, Fact(0, EMAIL, 0, FactKind.BOUNCED, "bounce_5.1.1"))
    assert await states(ledger, serial) == [(Status.BOUNCED, "bounce_5.1.1")]
    assert await retried(ledger, serial, failed=True) == (0, 0)
    assert "fin" in await ledger.counters(serial)


async def test_a_worker_with_the_old_data_sends_to_everybody_else(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(email_uncertain="hold"), [people(9)])
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    channel = ScriptedChannel(connections=1)  # so that two intents run ahead, and no more
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        work_once = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire)
        for recipient in ("r-6", "r-7", "r-8"):
            assert not (await forget(ledger, serial, recipient)).on_its_way
        channel.gate.set()
        await work_once
    assert channel.messages() == {f"person{n}@example.com": 1 for n in range(6)}


# Links that come meanwhile, and money


async def test_a_person_is_erased_between_reading_an_order_and_storing_its_links(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    claim = await placed(ledger, serial)
    await forget(ledger, serial)
    links = links_of(serial, 1, 2)
    assert await ledger.batches.links_received(claim, links) is None
    assert await ledger.batches.links(serial, 1) == ["", links[1]]
    assert await ledger.counted(serial, "l:received", "l:assigned", "l:spare") == [2, 2, 0]
    other = await submit(ledger, a_campaign("other"), [people(1)])
    again = await placed(ledger, other)
    assert await ledger.batches.links_received(again, links[:1]) == 0, "its digest stays"


async def test_a_spare_link_is_not_assigned_after_its_person_was_erased(
    ledger: Ledger,
) -> None:
    serial, claim = await a_batch(ledger)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.cancel(claim)
    await forget(ledger, serial)
    assert await ledger.counted(serial, "l:assigned", "l:spare") == [1, 1]
    await assert_sound(ledger, serial)


async def test_all_links_are_spare_except_those_of_erased_people(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(3)])
    claim = await placed(ledger, serial)
    await ledger.campaigns.steer(serial, "cancel")
    await forget(ledger, serial, "r-0")
    await ledger.batches.links_received(claim, links_of(serial, 1, 3))
    assert await ledger.counted(serial, "l:assigned", "l:spare") == [1, 2]
    await forget(ledger, serial, "r-2")
    assert await ledger.counted(serial, "l:assigned", "l:spare") == [2, 1]
    await assert_sound(ledger, serial)


async def test_a_held_batch_stays_held_for_the_others(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    await held(ledger, await placed(ledger, serial), "order_failed")
    await forget(ledger, serial)
    assert (await ledger.fields(serial, 1))["st"] == "held"
    await assert_sound(ledger, serial)


async def test_an_erased_person_of_a_dead_order_stays_erased(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(3)])
    await held(ledger, await placed(ledger, serial), "order_failed", missing=3)
    first = await forget(ledger, serial, "r-1")
    store = ledger.order_replacement
    order_replacement = OrderReplacement(ledger.pages, ledger.lookups, store, ledger.vault, None)
    plan = await order_replacement.plan(await ledger.campaigns.snapshot(serial), 1)
    assert isinstance(plan, ReplacementPlan)
    assert await order_replacement.execute(plan) == 2
    again = await forget(ledger, serial, "r-1")
    assert (again.before, again.at_ms) == (True, first.at_ms)
    claim = await placed(ledger, serial, 2)
    links = links_of(serial, 2, 3)
    assert await ledger.batches.links_received(claim, links) is None
    assert await ledger.batches.links(serial, 2) == [links[0], "", links[2]]
    assert await intend(ledger, await taken(ledger, serial, 2), 0, 1, 2) == [1, 0, 1]
    story = Timelines(ledger.pages, ledger.campaigns, ledger.vault)
    told = await story.of(await ledger.campaigns.snapshot(serial), "r-1")
    assert (told["batch"], told["position"], bool(told["forgotten_at"])) == (2, 2, True)


# Everything else that can happen


class ForgettingMachine(LedgerMachine):
    """The ledger's machine, in which people are erased too."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: dict[tuple[int, int], int] = {}

    @rule(which=st.integers(0, 1_000_000))
    def forget(self, which: int) -> None:
        numbers = sorted(self.do(assert_sound(self.ledger, self.serial)).records)
        batch, index = numbers[which % len(numbers)]
        recipient = f"r-{numbers.index((batch, index))}"
        before = self.gone.get((batch, index))
        done = self.do(forget(self.ledger, self.serial, recipient))
        assert done.before == (before is not None)
        self.gone[batch, index] = done.at_ms

    @invariant()
    def nobody_who_was_forgotten_is_written_to(self) -> None:
        for attempt in self.attempts[self.seen :]:
            assert (attempt.batch, attempt.index) not in self.gone, "granted after all"
        self.seen = len(self.attempts)
        if not self.gone:
            return
        records = self.do(assert_sound(self.ledger, self.serial)).records
        for key in self.gone:
            assert all(record.status is not Status.PENDING for record in records[key])

    seen = 0


@pytest.fixture
def fast_url(valkey_url: str) -> Iterator[str]:
    """A server that does not sync: steps are many, and it does not crash."""
    with SyncRedis.from_url(valkey_url) as server:
        server.config_set("appendfsync", "no")
        yield valkey_url
        server.config_set("appendfsync", "always")


def test_no_erased_person_is_ever_granted_an_attempt(fast_url: str) -> None:
    class AtThisServer(ForgettingMachine):
        url = fast_url

    run_state_machine_as_test(
        AtThisServer,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
