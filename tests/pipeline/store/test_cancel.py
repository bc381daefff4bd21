"""Held batches that are moved on, and cancelled ones that come to their end."""

import pytest

from pipeline.domain.batch import Lane, WaitCounter
from pipeline.domain.errors import StaleLeaseError
from pipeline.domain.models import BatchState, FactKind
from pipeline.store.deliveries import Fact, IntentRequest
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    held,
    links_of,
    people,
    placed,
    pump,
    retried,
    submit,
    taken,
)


async def test_a_held_foreign_order_goes_on_as_planned_and_remembers_to_adopt(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    await held(ledger, await taken(ledger, serial), "foreign_order")
    assert await ledger.counted(serial, "h:foreign_order", "b:held") == [1, 1]
    assert await retried(ledger, serial, failed=True, uncertain=True) == (0, 0)
    assert await retried(ledger, serial, held=True, adopt=True) == (0, 1)
    found = await taken(ledger, serial)
    assert (found.unit.lane, found.batch.order.adopt) == (Lane.ORDER, True)
    await assert_sound(ledger, serial)


async def test_a_batch_held_while_its_campaign_is_cancelled_comes_to_its_end(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    found = await placed(ledger, serial)
    await ledger.campaigns.steer(serial, "cancel")
    # This worker does not know it yet.
    await held(ledger, found, "order_failed", missing=2)
    await assert_sound(ledger, serial)
    ending = await taken(ledger, serial)
    assert ending.cancelled
    await ledger.batches.cancel(ending, "order_failed")
    await assert_sound(ledger, serial)
    assert "fin" in await ledger.counters(serial)


async def test_a_cancelled_campaign_waits_for_nothing(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    found = await taken(ledger, serial)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.release(found, delay=3600, counter=WaitCounter.FAILS)
    assert [unit.batch for unit in await pump(ledger)] == [1]


async def test_one_ended_batch_does_not_end_a_cancelled_campaign(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 2)
    await placed(ledger, serial, 1)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.cancel(await taken(ledger, serial, 2))
    assert "fin" not in await ledger.counters(serial), "its other order is read to its end"
    await assert_sound(ledger, serial)


async def test_an_uncertain_delivery_does_not_keep_a_cancelled_campaign_from_its_end(
    ledger: Ledger,
) -> None:
    campaign = a_campaign(email_uncertain="hold")
    serial = await submit(ledger, campaign, [people(1), people(1, first=1)])
    for number in (1, 2):
        found = await fulfilled(ledger, serial, number)
        await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 0)])
        await ledger.deliveries.record(
            {(serial, number): [Fact(0, EMAIL, 1, FactKind.UNCERTAIN, "reset")]}
        )
        if number == 1:
            assert await ledger.batches.distributed(found, delay=0) is BatchState.HELD
        else:
            await ledger.campaigns.steer(serial, "cancel")
            # This worker was on its way when the campaign was cancelled.
            assert await ledger.batches.distributed(found, delay=600) is BatchState.FULFILLED
    for number in (1, 2):
        await ledger.batches.cancel(await taken(ledger, serial, number))
    await assert_sound(ledger, serial)
    assert "fin" in await ledger.counters(serial)


async def test_the_last_batch_of_a_cancelled_campaign_may_end_by_itself(ledger: Ledger) -> None:
    campaign = a_campaign(email_uncertain="hold")
    serial = await submit(ledger, campaign, [people(1), people(1, first=1)])
    uncertain = await fulfilled(ledger, serial, 1)
    await ledger.deliveries.intend(uncertain, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record({(serial, 1): [Fact(0, EMAIL, 1, FactKind.UNCERTAIN, "reset")]})
    await ledger.batches.distributed(uncertain, delay=0)
    last = await fulfilled(ledger, serial, 2)
    await ledger.deliveries.intend(last, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record({(serial, 2): [Fact(0, EMAIL, 1, FactKind.SENT)]})
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.cancel(await taken(ledger, serial, 1))
    assert await ledger.batches.distributed(last, delay=0) is BatchState.DONE
    await assert_sound(ledger, serial)
    assert "fin" in await ledger.counters(serial)


async def test_links_of_a_cancelled_campaign_that_were_not_sent_are_spare(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(3)])
    found = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record({(serial, 1): [Fact(0, EMAIL, 1, FactKind.SENT)]})
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.release(found, delay=0)
    await ledger.batches.cancel(await taken(ledger, serial))
    counted = await assert_sound(ledger, serial)
    assert counted.counters["l:assigned"] == 1
    assert counted.counters["l:spare"] == 2
    assert await ledger.counted(serial, "d:sent", "d:skipped") == [1, 2]


async def test_links_that_arrive_after_the_cancel_are_kept_and_spare(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), [people(2)])
    found = await placed(ledger, serial)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.links_received(found, links_of(serial, 1, 2))
    await ledger.batches.cancel(await taken(ledger, serial))
    await assert_sound(ledger, serial)
    assert await ledger.counted(serial, "l:spare", "l:assigned") == [2, 0]
    assert await ledger.batches.links(serial, 1) == links_of(serial, 1, 2)


async def test_a_campaign_that_is_not_cancelled_cannot_lose_a_batch_to_cancel(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    with pytest.raises(StaleLeaseError):
        await ledger.batches.cancel(await taken(ledger, serial))
