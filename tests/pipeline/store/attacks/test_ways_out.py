"""Every way out that an operator is told leads out, whatever happened before."""

import json
from typing import Any

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.errors import InputError
from pipeline.domain.models import FactKind
from pipeline.operations.replace_order import OrderReplacement, ReplacementPlan
from pipeline.store.audit_trail import AuditAction, AuditTrail
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.scripts import Arg, Scripts
from tests.pipeline.ledger import (
    EMAIL,
    SMS,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    links_of,
    make_due,
    open_ledger,
    people,
    placed,
    retried,
    submit,
    taken,
)
from tests.pipeline.operations.test_erase_recipient import forget
from tests.support.redis import Redis


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return open_ledger(redis)


def order_replacement(ledger: Ledger) -> OrderReplacement:
    store = ledger.order_replacement
    return OrderReplacement(ledger.pages, ledger.lookups, store, ledger.vault, None)


async def short(ledger: Ledger) -> str:
    """Return a campaign of one batch of three, whose order gave two links."""
    serial = await submit(ledger, a_campaign(), [people(3)])
    claim = await placed(ledger, serial)
    shown = [{"Url": link} for link in links_of(serial, 1, 2)]
    document = json.dumps({"LineItems": [{"Links": shown}]}).encode()
    await ledger.batches.hold(claim, "links_short", evidence=document, missing=1, reread=0)
    return serial


async def reordered(ledger: Ledger, serial: str) -> int:
    plan = await order_replacement(ledger).plan(await ledger.campaigns.snapshot(serial), 1)
    assert isinstance(plan, ReplacementPlan)
    return await order_replacement(ledger).execute(plan)


async def test_retry_settles_uncertain_deliveries_to_people_whom_another_channel_reached(
    ledger: Ledger,
) -> None:
    campaign = a_campaign(channels=("email", "sms"), mode="all", email_uncertain="hold")
    serial = await submit(ledger, campaign, [people(1, phone=True)])
    claim = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(claim, [IntentRequest(0, EMAIL, 0), IntentRequest(0, SMS, 0)])
    facts = [Fact(0, EMAIL, 1, FactKind.UNCERTAIN, "unconfirmed"), Fact(0, SMS, 1, FactKind.SENT)]
    await ledger.deliveries.record({(serial, 1): facts})
    assert await ledger.batches.distributed(claim, delay=0) == "held"
    await retried(ledger, serial, uncertain=True)
    again = await taken(ledger, serial)
    assert await ledger.batches.distributed(again, delay=0) == "done"
    assert "fin" in await ledger.counters(serial)


async def test_links_that_a_dead_order_did_not_give_stay_missing_in_a_later_hold(
    ledger: Ledger,
) -> None:
    serial = await short(ledger)
    await reordered(ledger, serial)
    await assert_sound(ledger, serial)
    claim = await taken(ledger, serial)
    await ledger.batches.hold(claim, "damaged", missing=claim.batch.order.missing, reread=0)
    await assert_sound(ledger, serial)
    assert await retried(ledger, serial, held=True) == (0, 1)
    await assert_sound(ledger, serial)


async def test_links_that_came_are_not_given_up_because_somebody_was_erased(
    ledger: Ledger,
) -> None:
    serial = await short(ledger)
    await forget(ledger, serial, "r-2")
    try:
        await reordered(ledger, serial)
    except InputError:
        return  # it says what to do first
    assert (await ledger.counted(serial, "l:received")) == [2]


async def test_the_probe_of_a_blocked_lane_waits_for_a_worker_that_may_run_it(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign())
    await make_due(ledger, serial)
    await ledger.redis.hset(f"cc:{serial}:b:1", "deaths", "2")
    await ledger.campaigns.block(serial, Lane.ORDER, "insufficient_funds", "", probe_after=0.001)
    given = []
    for _ in range(3):  # three minutes of a fleet of one
        await make_due(ledger, serial)
        await ledger.redis.hset(f"cc:{serial}", "blk:o:until", "1")
        for _ in range(3):
            given += await ledger.batches.pump(
                order=1, read=1, send=1, dispatch_seconds=600, worker="w", idle=True
            )
    assert given


async def test_a_purge_that_lags_behind_another_one_does_not_undo_its_progress(
    ledger: Ledger,
) -> None:
    serial, run = await submit(ledger, a_campaign(), 2), Scripts(ledger.redis).call
    await ledger.campaigns.steer(serial, "cancel")
    for number in (1, 2):
        await ledger.batches.cancel(await taken(ledger, serial, number))
    assert await run("purge_begin", serial, 0) == b"purging"
    await run("purge_batches", serial, 1, 2)
    await run("purge_batches", serial, 1, 1)
    assert await run("purge_end", serial)


class LosingAReply(Scripts):
    """Makes its first call twice, as redis-py does when the reply is lost."""

    _lost = False

    async def call(self, verb: str, *args: Arg) -> Any:  # noqa: ANN401 - as in Scripts
        if not self._lost:
            self._lost = True
            await super().call(verb, *args)
        return await super().call(verb, *args)


async def test_an_entry_of_the_audit_trail_whose_reply_was_lost_stands_there_once(
    ledger: Ledger,
) -> None:
    trail = AuditTrail(ledger.redis, LosingAReply(ledger.redis), ledger.vault)
    await trail.add(AuditAction.PAUSE, actor="ann", campaign="c")
    assert len([entry async for entry in trail.entries()]) == 1
