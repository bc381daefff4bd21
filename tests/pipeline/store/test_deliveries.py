"""Intents before the effect, facts after it, from anyone, in any order, any number of times."""

from typing import Literal

import pytest

from pipeline.domain.errors import AbandonedError, StaleLeaseError
from pipeline.domain.models import BatchState, FactKind
from pipeline.domain.models import DeliveryStatus as Status
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.formats.records import DeliveryRecord
from tests.pipeline.ledger import (
    EMAIL,
    SMS,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    lapse,
    people,
    pump,
    submit,
    taken,
)
from tests.support.server_clock import server_time

FIRST = [IntentRequest(0, EMAIL, 0)]


async def started(ledger: Ledger, **campaign: str) -> Claim:
    """Return the claim of a batch of two with an intent for its first person."""
    serial = await submit(ledger, a_campaign(**campaign), [people(2)])
    found = await fulfilled(ledger, serial)
    assert await ledger.deliveries.intend(found, FIRST) == [1]
    return found


async def tell(
    ledger: Ledger, found: Claim, kind: FactKind, *, attempt: int = 1, code: str = ""
) -> int:
    unit = found.unit
    changed = await ledger.deliveries.record(
        {(unit.serial, unit.batch): [Fact(0, EMAIL, attempt, kind, code)]}
    )
    await assert_sound(ledger, unit.serial)
    return changed


async def first(ledger: Ledger, found: Claim) -> DeliveryRecord:
    unit = found.unit
    return (await ledger.deliveries.read(unit.serial, unit.batch))[0][0]


async def status(ledger: Ledger, found: Claim) -> Status:
    return (await first(ledger, found)).status


async def test_a_repeated_intent_grants_the_same_attempt(ledger: Ledger) -> None:
    found = await started(ledger)
    assert await ledger.deliveries.intend(found, FIRST) == [1]
    assert (await first(ledger, found)).attempt == 1
    await assert_sound(ledger, found.unit.serial)


async def test_only_the_holder_of_the_live_lease_gets_intents(ledger: Ledger) -> None:
    found = await started(ledger)
    await lapse(ledger, found.unit.serial)
    other = await taken(ledger, found.unit.serial, nonce="other")
    with pytest.raises(StaleLeaseError):
        await ledger.deliveries.intend(found, [IntentRequest(1, EMAIL, 0)])
    assert await ledger.deliveries.intend(other, [IntentRequest(1, EMAIL, 0)]) == [1]


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_halted_campaign_grants_no_intent(
    ledger: Ledger, verb: Literal["pause", "cancel"]
) -> None:
    found = await started(ledger)
    await ledger.campaigns.steer(found.unit.serial, verb)
    with pytest.raises(AbandonedError, match="halted"):
        await ledger.deliveries.intend(found, [IntentRequest(1, EMAIL, 0)])
    await assert_sound(ledger, found.unit.serial)


async def test_an_intent_for_a_settled_or_changed_delivery_is_not_granted(ledger: Ledger) -> None:
    found = await started(ledger)
    await tell(ledger, found, FactKind.SENT)
    assert await ledger.deliveries.intend(
        found,
        [
            IntentRequest(0, EMAIL, 1),
            IntentRequest(0, EMAIL, 0),
            IntentRequest(1, EMAIL, 5),
            IntentRequest(1, SMS, 0),
        ],
    ) == [0, 0, 0, 0]


@pytest.mark.parametrize(("policy", "granted"), [("resend", [2]), ("hold", [0])])
async def test_the_uncertain_are_started_again_only_under_their_policy(
    ledger: Ledger, policy: str, granted: list[int]
) -> None:
    found = await started(ledger, email_uncertain=policy)
    await tell(ledger, found, FactKind.UNCERTAIN, code="timeout")
    assert await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 1)]) == granted


async def test_deliveries_that_a_dead_worker_left_in_flight_become_uncertain(
    ledger: Ledger,
) -> None:
    found = await started(ledger)
    await lapse(ledger, found.unit.serial)
    other = await taken(ledger, found.unit.serial, nonce="other")
    assert other.ledger[0][0].status is Status.UNCERTAIN
    assert other.ledger[0][0].code == "worker_lost"
    await assert_sound(ledger, found.unit.serial)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FactKind.SENT, Status.SENT),
        (FactKind.FAILED, Status.FAILED),
        (FactKind.DEFERRED, Status.PENDING),
        (FactKind.RELEASED, Status.PENDING),
        (FactKind.UNCERTAIN, Status.UNCERTAIN),
    ],
)
async def test_results_of_a_worker_that_lost_its_lease_are_recorded(
    ledger: Ledger, kind: FactKind, expected: Status
) -> None:
    stale = await started(ledger)
    await lapse(ledger, stale.unit.serial)
    await taken(ledger, stale.unit.serial, nonce="other")
    await tell(ledger, stale, kind)
    assert await status(ledger, stale) is expected


async def test_of_an_earlier_attempt_only_good_news_counts(ledger: Ledger) -> None:
    found = await started(ledger)
    await tell(ledger, found, FactKind.UNCERTAIN)
    assert await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 1)]) == [2]
    bad: tuple[FactKind, ...] = (
        FactKind.FAILED,
        FactKind.BOUNCED,
        FactKind.DEFERRED,
        FactKind.RELEASED,
        FactKind.UNCERTAIN,
        FactKind.SUPPRESSED,
    )
    for kind in bad:
        assert await tell(ledger, found, kind, attempt=1) == 0
    assert await tell(ledger, found, FactKind.SENT, attempt=1) == 1
    assert await status(ledger, found) is Status.SENT
    # The second attempt is on its way all the same; what it meets takes nothing back.
    for kind in bad[2:5]:
        assert await tell(ledger, found, kind, attempt=2) == 0
    assert await status(ledger, found) is Status.SENT


async def test_facts_about_attempts_that_never_were_change_nothing(ledger: Ledger) -> None:
    found = await started(ledger)
    for attempt in (2, 99):
        for kind in FactKind:
            assert await tell(ledger, found, kind, attempt=attempt) == 0
    assert await ledger.deliveries.record({("99", 1): [Fact(0, EMAIL, 1, FactKind.SENT)]}) == 0


@pytest.mark.parametrize("index", [-1, 2, 10**6])
async def test_a_fact_about_no_recipient_changes_no_other(ledger: Ledger, index: int) -> None:
    found = await started(ledger)
    key = (found.unit.serial, 1)
    facts = [Fact(0, EMAIL, 1, FactKind.SENT), Fact(index, EMAIL, 1, FactKind.SENT)]
    assert await ledger.deliveries.record({key: facts}) == 1
    await assert_sound(ledger, found.unit.serial)


async def test_a_code_cannot_break_the_record_that_it_is_stored_in(ledger: Ledger) -> None:
    found = await started(ledger)
    await tell(ledger, found, FactKind.FAILED, code="a;b se1.1.\n5.1-x")
    assert (await first(ledger, found)).code == "a_b_se1.1._5.1-x"


async def test_a_transient_failure_costs_a_try_and_a_release_does_not(ledger: Ledger) -> None:
    found = await started(ledger)
    await tell(ledger, found, FactKind.RELEASED, code="breaker_open")
    assert (await first(ledger, found)).tries == 0
    assert await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 1)]) == [2]
    await tell(ledger, found, FactKind.DEFERRED, attempt=2, code="smtp_450")
    assert await tell(ledger, found, FactKind.DEFERRED, attempt=2) == 0, (
        "a duplicate costs nothing"
    )
    record = await first(ledger, found)
    assert (record.tries, record.code) == (1, "smtp_450")


async def test_a_batch_is_due_again_when_its_first_delivery_is(ledger: Ledger) -> None:
    found = await started(ledger)
    serial = found.unit.serial
    fact = Fact(0, EMAIL, 1, FactKind.DEFERRED, "smtp_450", delay=5000)
    await ledger.deliveries.intend(found, [IntentRequest(1, EMAIL, 0)])
    began = await server_time(ledger.redis)
    await ledger.deliveries.record({(serial, 1): [fact, Fact(1, EMAIL, 1, FactKind.SENT)]})
    assert await ledger.batches.distributed(found, delay=0) is BatchState.FULFILLED
    soonest = await ledger.batches.next_due()
    took = await server_time(ledger.redis) - began
    assert soonest is not None
    assert 5000 - took - 0.01 <= soonest <= 5000


async def test_a_late_fact_ends_the_hold_of_an_uncertain_batch(ledger: Ledger) -> None:
    found = await started(ledger, email_uncertain="hold")
    await ledger.deliveries.intend(found, [IntentRequest(1, EMAIL, 0)])
    await ledger.deliveries.record({(found.unit.serial, 1): [Fact(1, EMAIL, 1, FactKind.SENT)]})
    await tell(ledger, found, FactKind.UNCERTAIN)
    assert await ledger.batches.distributed(found, delay=0) is BatchState.HELD
    assert await pump(ledger) == []
    await tell(ledger, found, FactKind.SENT)
    again = await taken(ledger, found.unit.serial)
    assert await ledger.batches.distributed(again, delay=0) is BatchState.DONE
    assert "fin" in await ledger.counters(found.unit.serial)


async def test_a_bounce_reopens_a_finished_campaign_for_the_next_channel(ledger: Ledger) -> None:
    campaign = a_campaign(channels=("email", "sms"))
    serial = await submit(ledger, campaign, [people(1, phone=True)])
    found = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(found, FIRST)
    await tell(ledger, found, FactKind.SENT)
    assert await ledger.batches.distributed(found, delay=0) is BatchState.DONE
    assert "fin" in await ledger.counters(serial)
    await tell(ledger, found, FactKind.BOUNCED)
    assert "fin" not in await ledger.counters(serial)
    again = await taken(ledger, serial)
    assert [d.channel for d in again.ledger[0]] == [EMAIL, SMS]
    assert await ledger.deliveries.intend(again, [IntentRequest(0, SMS, 0)]) == [1]
    await ledger.deliveries.record({(serial, 1): [Fact(0, SMS, 1, FactKind.SENT)]})
    assert await ledger.batches.distributed(again, delay=0) is BatchState.DONE
    assert await ledger.counted(serial, "p:reached", "p:open", "d:bounced") == [1, 0, 1]


async def test_an_uncertain_message_tries_no_other_channel(ledger: Ledger) -> None:
    campaign = a_campaign(channels=("email", "sms"))
    found = await fulfilled(ledger, await submit(ledger, campaign, [people(1, phone=True)]))
    await ledger.deliveries.intend(found, FIRST)
    await tell(ledger, found, FactKind.UNCERTAIN, code="timeout")
    (records,) = (await ledger.deliveries.read(found.unit.serial, 1)).values()
    assert [record.channel for record in records] == [EMAIL]


async def test_the_last_refused_channel_leaves_the_person_not_reached(ledger: Ledger) -> None:
    found = await started(ledger)
    await tell(ledger, found, FactKind.FAILED, code="smtp_550")
    assert await ledger.counted(found.unit.serial, "p:not_reached", "p:open") == [1, 1]


# After a retry


async def retried(ledger: Ledger, found: Claim) -> None:
    unit = found.unit
    moved, _ = await ledger.batches.retry(
        unit.serial, unit.batch, failed=True, uncertain=True, held=False, adopt=False
    )
    assert moved == 1
    await assert_sound(ledger, unit.serial)


async def test_a_retry_makes_the_failed_pending_again_and_nobody_else(ledger: Ledger) -> None:
    found = await started(ledger)
    await ledger.deliveries.intend(found, [IntentRequest(1, EMAIL, 0)])
    await ledger.deliveries.record({(found.unit.serial, 1): [Fact(1, EMAIL, 1, FactKind.SENT)]})
    await tell(ledger, found, FactKind.FAILED)
    assert await ledger.batches.distributed(found, delay=0) is BatchState.DONE
    await retried(ledger, found)
    again = await taken(ledger, found.unit.serial)
    assert [d[0].status for d in again.ledger.values()] == [Status.PENDING, Status.SENT]
    assert again.ledger[0][0].resend_number == 1


async def test_a_retry_leaves_people_who_wait_for_their_next_channel(ledger: Ledger) -> None:
    campaign = a_campaign(channels=("email", "sms"))
    found = await fulfilled(ledger, await submit(ledger, campaign, [people(1, phone=True)]))
    serial = found.unit.serial
    await ledger.deliveries.intend(found, FIRST)
    await tell(ledger, found, FactKind.FAILED)
    assert await ledger.batches.retry(
        serial, 1, failed=True, uncertain=False, held=False, adopt=False
    ) == (0, 0)
    (records,) = (await ledger.deliveries.read(serial, 1)).values()
    assert [record.status for record in records] == [Status.FAILED, Status.PENDING]


@pytest.mark.parametrize("kind", [FactKind.FAILED, FactKind.BOUNCED, FactKind.SUPPRESSED])
async def test_a_repeated_old_fact_does_not_undo_a_retry(ledger: Ledger, kind: FactKind) -> None:
    found = await started(ledger)
    await tell(ledger, found, FactKind.FAILED, code="smtp_550")
    await retried(ledger, found)
    assert await tell(ledger, found, kind) == 0
    assert await status(ledger, found) is Status.PENDING
    assert await tell(ledger, found, FactKind.SENT) == 1, "good news still counts"


async def test_late_bad_news_still_settles_what_was_uncertain(ledger: Ledger) -> None:
    found = await started(ledger, email_uncertain="hold")
    await tell(ledger, found, FactKind.UNCERTAIN)
    await retried(ledger, found)
    assert await tell(ledger, found, FactKind.FAILED) == 1
    assert await status(ledger, found) is Status.FAILED


# After a cancel


@pytest.mark.parametrize("kind", [FactKind.DEFERRED, FactKind.RELEASED, FactKind.FAILED])
async def test_late_facts_leave_nothing_pending_in_a_cancelled_batch(
    ledger: Ledger, kind: FactKind
) -> None:
    campaign = a_campaign(channels=("email", "sms"))
    serial = await submit(ledger, campaign, [people(2, phone=True)])
    found = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(found, FIRST)
    await ledger.campaigns.steer(serial, "cancel")
    await lapse(ledger, serial)
    await ledger.batches.cancel(await taken(ledger, serial, nonce="other"))
    await tell(ledger, found, kind)
    assert await ledger.counted(serial, "d:pending", "p:open") == [0, 0]


async def test_good_news_about_a_delivery_that_was_skipped_later_counts(ledger: Ledger) -> None:
    found = await started(ledger)
    serial = found.unit.serial
    await tell(ledger, found, FactKind.UNCERTAIN)
    await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 1)])
    await tell(ledger, found, FactKind.DEFERRED, attempt=2)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.release(found, delay=0)
    await ledger.batches.cancel(await taken(ledger, serial))
    assert await status(ledger, found) is Status.SKIPPED
    assert await tell(ledger, found, FactKind.SENT, attempt=1) == 1
    assert await ledger.counted(serial, "p:reached") == [1]


@pytest.mark.parametrize(
    "kind",
    [FactKind.SENT, FactKind.DELIVERED, FactKind.BOUNCED, FactKind.FAILED, FactKind.SUPPRESSED],
)
async def test_a_fact_without_an_attempt_is_about_the_latest(
    ledger: Ledger, kind: FactKind
) -> None:
    found = await started(ledger)
    assert await tell(ledger, found, kind, attempt=0) == 1


@pytest.mark.parametrize(
    "kind",
    [
        FactKind.DEFERRED,
        FactKind.RELEASED,
        FactKind.UNCERTAIN,
        FactKind.LOOKED_FOR,
        FactKind.NOT_FOUND,
        FactKind.WAITING,
    ],
)
async def test_a_fact_that_only_the_sender_knows_needs_its_attempt(
    ledger: Ledger, kind: FactKind
) -> None:
    found = await started(ledger)
    assert await tell(ledger, found, kind, attempt=0) == 0
