"""A signal that an order is complete wakes its batch, and nothing that is sent does any harm."""

import asyncio

import pytest
from structlog.testing import capture_logs

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.batch import Lane
from pipeline.store.keys import due_key
from tests.support.prolong import prolong
from tests.support.waiting import wait_until
from tests.worker.web.site import Line, Site, exchanged, open_site
from worker.web import fulfilment


async def test_a_signal_makes_a_waiting_batch_due(site: Site) -> None:
    serial = await site.installation.submitted()
    await site.waiting(serial)
    assert not await site.is_due(serial)

    answer = await site.signal(serial)

    assert (answer.status_code, answer.content) == (204, b"")
    await wait_until(lambda: site.is_due(serial))


async def test_a_signal_during_the_order_request_is_not_lost(site: Site) -> None:
    serial = await site.installation.submitted()
    [claim, *_] = await site.installation.claims(Lane.ORDER)

    await site.signal(serial)
    await wait_until(lambda: site.installation.redis.hexists(f"cc:{serial}:b:1", "wake"))
    placed = await site.app.batches.order_intent(
        claim, po_number="PO", payload_hash="h", nonce="n"
    )
    reading = await site.app.batches.order_placed(claim, "order-1")
    await site.app.batches.release(reading, delay=3600)

    assert placed == 0
    assert await site.is_due(serial)


async def test_only_our_own_token_of_this_kind_wakes(site: Site) -> None:
    serial = await site.installation.submitted()
    await site.waiting(serial)
    token = site.token(Purpose.FULFILMENT, serial)
    other = token[:-1] + ("b" if token[-1] == "a" else "a")
    wrong = [site.token(Purpose.BOUNCE, serial), token[:-1], other, "x" * 500, "%00é"]
    wakes = await site.wakes()

    for each in wrong:
        answer = await site.client.post(f"/webhooks/fulfillment/{each}")
        assert answer.status_code == 404
        assert answer.text == "There is nothing at this address.\n"
    assert await site.wakes() == wakes


async def test_a_signal_for_what_is_not_there_is_harmless(site: Site) -> None:
    assert (await site.signal("4000000000", 7)).status_code == 204


async def test_a_flood_costs_a_wake_or_two(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    prolong(monkeypatch, fulfilment, "_FIRST_PAUSE", usual=0.5)  # it lasts longer than the flood
    serial = await site.installation.submitted()
    await site.waiting(serial)
    before = await site.wakes()

    for _ in range(10):
        answers = await asyncio.gather(*(site.signal(serial) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {204}

    await wait_until(lambda: site.is_due(serial))
    assert await site.wakes() - before <= 2


async def test_what_is_signalled_after_a_wake_is_followed_by_another(site: Site) -> None:
    serial = await site.installation.submitted()
    await site.waiting(serial)
    await site.signal(serial)
    await wait_until(lambda: site.is_due(serial))
    [unit] = await site.app.batches.pump(order=0, read=1, send=0, dispatch_seconds=30)
    claim = await site.app.batches.claim(unit, nonce="n", lease_seconds=30)
    assert claim is not None
    await site.app.batches.release(claim, delay=3600)

    await site.signal(serial)

    await wait_until(lambda: site.is_due(serial))


async def test_the_body_is_not_waited_for(site: Site) -> None:
    token = site.token(Purpose.FULFILMENT, "1")
    head = f"POST /webhooks/fulfillment/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n"

    answer = await exchanged(site.address, head.encode() + b"Connection: close\r\n\r\n{")

    assert answer.startswith(b"HTTP/1.1 204 ")


async def test_what_waits_when_the_site_stops_is_woken_before(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    prolong(monkeypatch, fulfilment, "_FIRST_PAUSE", usual=0.5)  # so that the second signal waits
    prolong(monkeypatch, fulfilment, "_DRAIN_SECONDS", usual=2.0)
    async with open_site() as site:
        serial = await site.installation.submitted()
        claim = await site.waiting(serial)
        await site.signal(serial)
        await wait_until(lambda: site.is_due(serial))
        score = {str(claim.unit.batch): 9e12}
        await site.app.redis.zadd(due_key(serial, Lane.READ), score)
        await site.signal(serial)
        assert not await site.is_due(serial)
    async with open_site() as site:
        assert await site.is_due(serial)


async def test_an_outage_of_redis_only_delays_the_wake(line: Line, site: Site) -> None:
    serial = await site.installation.submitted()
    await site.waiting(serial)
    line.cut()

    with capture_logs() as logs:
        assert (await site.signal(serial)).status_code == 204
        await wait_until(lambda: [line for line in logs if line["event"] == "batch.not_woken"])

    line.mend()
    await wait_until(lambda: site.is_due(serial))
