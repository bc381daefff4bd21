"""Orders against the sandbox: one batch, one PO number, one order, after any answer."""

from decimal import Decimal

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import BatchState
from pipeline.stages.order_request import po_number
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    assert_sound,
    make_due,
    people,
    pump,
    submit,
)
from tests.pipeline.stages.stage_worker import FUNDS_PROBE, SandboxWorker, StartWorker
from tests.support.redis import Redis
from tests.support.server_clock import server_time

WORTH_THREE = Decimal("30.00")


async def three(ledger: Ledger, name: str = "c", number: int = 3) -> str:
    return await submit(ledger, a_campaign(name), [people(number)])


async def lost_state(worker: SandboxWorker, ledger: Ledger, number: int = 3) -> str:
    """Order a campaign, lose the whole ledger, and submit the campaign again."""
    await worker.work_once(await three(ledger))
    assert len(worker.orders()) == 1
    await ledger.redis.flushall()
    return await three(ledger, number=number)


async def retry(ledger: Ledger, serial: str, *, adopt: bool) -> None:
    found = await ledger.batches.retry(
        serial, 1, failed=False, uncertain=False, held=True, adopt=adopt
    )
    assert found == (0, 1)


async def test_a_batch_is_ordered_once_and_its_links_are_stored_in_order(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    await worker.work_once(serial)
    batch = await worker.batch(serial)
    assert (batch.state, batch.order.posts) == (BatchState.FULFILLED, 1)
    assert batch.order.po_number == po_number("c", 1)
    assert await ledger.batches.links(serial, 1) == worker.links()[po_number("c", 1)]
    await assert_sound(ledger, serial)


async def test_every_batch_has_an_order_of_its_own(ledger: Ledger, start: StartWorker) -> None:
    worker = await start()
    serial = await submit(ledger, a_campaign(), 5)
    await worker.work_once(serial)
    assert sorted(worker.links()) == [po_number("c", number) for number in range(1, 6)]
    await assert_sound(ledger, serial)


@pytest.mark.parametrize("fault", ["order_504_after_commit", "order_reset_after_commit"])
async def test_a_lost_answer_never_makes_a_second_order(
    ledger: Ledger, start: StartWorker, fault: str
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(**{fault: 1.0})
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.PLANNED
    await worker.work_once(serial)
    batch = await worker.batch(serial)
    assert batch.state is BatchState.FULFILLED
    assert [order.id for order in worker.orders()] == [batch.order.id]
    assert worker.posts() == 2
    await assert_sound(ledger, serial)


# The audit trail


async def test_the_audit_trail_records_an_order_once_however_often_it_is_posted(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(order_504_after_commit=1.0)
    await worker.work_once(serial)
    await worker.work_once(serial)
    assert worker.posts() == 2
    entries = [entry async for entry in ledger.audit.entries("c")]
    assert [entry.details["po_number"] for entry in entries if entry.action == "order"] == [
        po_number("c", 1)
    ]


async def test_nothing_is_ordered_that_the_audit_trail_cannot_record(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    await ledger.redis.set("cc:audit", "no list, so that nothing can be added")
    await worker.work_once(serial)
    assert worker.posts() == 0
    await ledger.redis.delete("cc:audit")
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.FULFILLED


# Foreign orders


async def test_an_order_that_a_lost_ledger_placed_is_foreign(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    serial = await lost_state(worker, ledger)
    await worker.work_once(serial)
    batch = await worker.batch(serial)
    assert (batch.state, batch.hold.reason, batch.order.posts) == (
        BatchState.HELD,
        "foreign_order",
        0,
    )
    assert await ledger.batches.links(serial, 1) == []
    await assert_sound(ledger, serial)


async def test_a_foreign_order_stays_foreign_however_often_it_is_retried(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    serial = await lost_state(worker, ledger)
    for _ in range(3):
        await worker.work_once(serial)
        assert (await worker.batch(serial)).hold.reason == "foreign_order"
        # The operator did not say --adopt.
        await retry(ledger, serial, adopt=False)
    assert await ledger.batches.links(serial, 1) == []


@pytest.mark.parametrize(
    "fault", ["order_400", "order_429", "token_expires_early", "credentials_disabled"]
)
async def test_a_post_that_was_refused_makes_no_foreign_order_ours(
    ledger: Ledger, start: StartWorker, fault: str
) -> None:
    worker = await start()
    serial = await lost_state(worker, ledger)
    worker.faults(**{fault: True if fault == "credentials_disabled" else 1.0})
    await worker.work_once(serial)
    assert (await worker.batch(serial)).order.posts == 0
    worker.faults()
    await ledger.redis.delete("cc:gcra:orders")
    await ledger.campaigns.steer(serial, "resume")
    await worker.work_once(serial)
    assert (await worker.batch(serial)).hold.reason == "foreign_order"


async def test_an_operator_may_adopt_the_order_that_is_there(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    serial = await lost_state(worker, ledger)
    await worker.work_once(serial)
    await retry(ledger, serial, adopt=True)
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.FULFILLED
    assert len(worker.orders()) == 1
    assert await ledger.batches.links(serial, 1) == worker.links()[po_number("c", 1)]
    await assert_sound(ledger, serial)


async def test_an_order_of_something_else_is_not_even_adopted_on_request(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    serial = await lost_state(worker, ledger, number=2)
    await worker.work_once(serial)
    await retry(ledger, serial, adopt=True)
    await worker.work_once(serial)
    batch = await worker.batch(serial)
    assert (batch.hold.reason, batch.order.id) == ("order_differs", None)
    assert await ledger.counted(serial, "l:ordered") == [0]
    assert "adopt" not in {entry.action async for entry in ledger.audit.entries("c")}
    assert await ledger.batches.links(serial, 1) == []


# Refusals


async def test_without_funds_one_batch_probes_and_all_go_on_when_funds_are_there(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start(funds=Decimal(0))
    serial = await submit(ledger, a_campaign(), 4)
    began = await server_time(ledger.redis)
    await worker.work_once(serial)
    ended = await server_time(ledger.redis)
    assert (await ledger.counters(serial))["blk:o"] == "insufficient_funds"
    [probe_ms] = await ledger.counted(serial, "blk:o:until")
    # The jitter takes up to a fifth off.
    assert began + 0.8 * FUNDS_PROBE - 0.01 <= probe_ms / 1000 <= ended + FUNDS_PROBE + 0.01
    posts = worker.posts()
    assert await worker.work_once(serial) == 0
    await ledger.redis.hset(f"cc:{serial}", "blk:o:until", "1")
    assert await worker.work_once(serial) == 1
    assert worker.posts() == posts + 1
    assert worker.orders() == []
    worker.sandbox.account.add_funds(Decimal("40.00"))
    await ledger.redis.hset(f"cc:{serial}", "blk:o:until", "1")
    assert await worker.work_once(serial) == 1
    assert "blk:o" not in await ledger.counters(serial)
    await worker.work_once(serial)
    assert len(worker.orders()) == 4
    assert worker.sandbox.account.funds() == 0
    await assert_sound(ledger, serial)


async def test_a_product_that_cannot_be_ordered_blocks_before_any_post(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    campaign = a_campaign(reward={"product_id": "CVS", "value": "10.01"})
    serial = await submit(ledger, campaign, 3)
    await worker.work_once(serial)
    assert (await ledger.counters(serial))["blk:o"] == "product_refused"
    assert worker.posts() == 0
    assert await worker.work_once(serial) == 0
    await assert_sound(ledger, serial)


async def test_a_refused_order_asks_for_the_products_again_and_blocks(
    ledger: Ledger, start: StartWorker, redis: Redis
) -> None:
    worker = await start()
    await worker.work_once(await three(ledger))
    (key,) = [key async for key in redis.scan_iter(match="cc:rewards:*:products")]
    # A week ago there was another denomination.
    old = (await redis.get(key) or b"").replace(b'"CVS"', b'"OLD"')
    await redis.set(key, old)
    campaign = a_campaign("d", reward={"product_id": "OLD", "value": "10.00"})
    serial = await submit(ledger, campaign, 3)
    await worker.work_once(serial)
    found = await ledger.counters(serial)
    assert found["blk:o"] == "product_refused"
    assert '"OLD"' in found["blk:o:text"]
    assert (await worker.batch(serial)).order.posts == 0
    posts = worker.posts()
    await ledger.campaigns.steer(serial, "resume")
    await worker.work_once(serial)
    assert worker.posts() == posts, "the product is looked at again before the next order"


async def test_refused_credentials_block_the_campaign_and_hold_nothing(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(credentials_disabled=True)
    await worker.work_once(serial)
    assert (await ledger.counters(serial))["blk:o"] == "credentials"
    assert await ledger.counted(serial, "b:planned", "b:held") == [1, 0]
    worker.faults()
    assert await worker.work_once(serial) == 0, "only a person can say that it is mended"
    await ledger.campaigns.steer(serial, "resume")
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.FULFILLED


async def test_tokens_that_end_early_block_only_in_a_row_whatever_failed_before(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(token_lifetime=3600), await three(ledger)
    worker.faults(order_500=1.0)
    for _ in range(3):
        await worker.work_once(serial)
    worker.faults(token_expires_early=1.0)
    for _ in range(2):
        await worker.work_once(serial)
        assert "blk:o" not in await ledger.counters(serial)
    await worker.work_once(serial)
    assert (await ledger.counters(serial))["blk:o"] == "credentials"
    worker.faults()
    await ledger.campaigns.steer(serial, "resume")
    await worker.work_once(serial)
    assert (await worker.batch(serial)).state is BatchState.FULFILLED


async def test_tokens_that_end_early_among_other_faults_block_nothing(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start(token_lifetime=3600, seed=7)
    serial = await submit(ledger, a_campaign("c"), 30)
    worker.faults(token_expires_early=0.25, order_500=0.6, read_500=0.6)
    for _ in range(60):
        await make_due(ledger, serial)
        for unit in await pump(ledger):  # one by one: the same dice fall for the same requests
            await worker.parts.units.run(unit)
        assert not {"blk:o", "blk:r"} & (await ledger.counters(serial)).keys()
        if await ledger.counted(serial, "l:received") == [30]:
            return
    pytest.fail("there are links that never came")


async def test_an_order_is_posted_again_under_the_same_number_after_an_outage(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(order_500=1.0)
    for failures in (1, 2, 3):
        await worker.work_once(serial)
        assert (await worker.batch(serial)).order.fails == failures
    worker.faults()
    await worker.work_once(serial)
    assert list(worker.links()) == [po_number("c", 1)]


async def test_a_429_stops_orders_of_the_whole_fleet_for_a_while(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    worker.faults(order_429=1.0, retry_after="seconds", retry_after_seconds=3000)
    await worker.work_once(serial)
    refused = await ledger.limiter.acquire("orders")
    assert refused.granted == 0
    assert 2500 < refused.wait <= 3001
    assert await worker.work_once(serial) == 0
    assert (await ledger.limiter.acquire("reads")).granted == 1


# Leases and cancels


async def test_after_the_lease_is_lost_nothing_is_ordered(
    ledger: Ledger, start: StartWorker
) -> None:
    worker, serial = await start(), await three(ledger)
    (unit,) = await pump(ledger)
    leases = worker.parts.leases
    async with leases.acquire(unit) as lease:
        assert lease is not None
        lease.halted = True
        await worker.parts.units._work(lease)  # noqa: SLF001 - with this very lease
    assert worker.orders() == []
    assert (await worker.batch(serial)).order.posts == 0
    await assert_sound(ledger, serial)


async def test_a_cancelled_campaign_orders_nothing_and_reports_an_open_post(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    serial = await submit(ledger, a_campaign(), 2)
    (unit,) = await ledger.batches.pump(order=1, read=0, send=0, dispatch_seconds=600)
    assert unit.lane is Lane.ORDER
    worker.faults(order_504_after_commit=1.0)
    await worker.parts.units.run(unit)
    await ledger.campaigns.steer(serial, "cancel")
    await make_due(ledger, serial)
    await worker.work_once(serial)
    assert [(await worker.batch(serial, n)).note for n in (1, 2)] == ["order_unknown", None]
    assert len(worker.orders()) == 1
    assert "fin" in await ledger.counters(serial)
    await assert_sound(ledger, serial)
