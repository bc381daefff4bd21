"""A campaign goes through one worker; the result is compared with the sandbox's own account."""

import asyncio
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from pipeline.domain.batch import Batch
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import BatchState
from pipeline.domain.rate import Rate
from pipeline.stages.campaign_cache import CampaignCache
from pipeline.store.batches import Claim
from tests.pipeline.channel import PlainComposer, ScriptedChannel
from tests.pipeline.ledger import (
    Ledger,
    a_campaign,
    assert_sound,
    claim,
    make_due,
    people,
    pump,
    submit,
)
from tests.pipeline.sending.dispatching import ready
from tests.pipeline.stages.stage_worker import StartWorker, sending
from tests.support.waiting import wait_until


async def finished(ledger: Ledger, serial: str) -> bool:
    return "fin" in await ledger.counters(serial)


async def test_everybody_is_sent_the_link_that_was_issued_for_their_position(
    ledger: Ledger, start: StartWorker
) -> None:
    worker = await start()
    serial = await submit(
        ledger, a_campaign(), [people(4), people(4, first=4), people(2, first=8)]
    )
    worker.faults(order_504_after_commit=0.5, read_500=0.3, order_500=0.3)
    for _ in range(40):
        if await finished(ledger, serial):
            break
        await worker.work_once(serial)
        await assert_sound(ledger, serial)
    issued = [link for po in sorted(worker.links()) for link in worker.links()[po]]
    expected = {f"person{i}@example.com": {link} for i, link in enumerate(issued)}
    assert worker.parts.channel.received() == expected
    assert len(set(issued)) == 10
    assert set(worker.parts.channel.messages().values()) == {1}
    assert await finished(ledger, serial)


async def test_a_campaign_at_its_own_limit_comes_back_later(ledger: Ledger) -> None:
    serial = await ready(ledger, 5, limits={"email": "1/h"})
    async with sending(ledger, ScriptedChannel()) as worker:
        await worker.work_once(serial)
        assert len(worker.channel.sent) == 1
        soonest = await ledger.batches.next_due()
        assert soonest is not None
        assert 3000 < soonest <= 3600
    assert await ledger.counted(serial, "d:pending", "d:sending") == [4, 0]
    await assert_sound(ledger, serial)


async def test_a_campaign_that_waits_for_its_own_limit_holds_no_slot(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.sleep(seconds)

    monkeypatch.setattr("pipeline.stages.start.asyncio", SimpleNamespace(sleep=nap))
    serial = await ready(ledger, 20, limits={"email": "5/s"})
    async with sending(ledger, ScriptedChannel()) as worker:
        await worker.work_once(serial)
        for _ in range(40):
            await wait_until(lambda: due(ledger))
            await worker.work_once(serial)
    assert naps == [], "it did not stay until there was a permit"
    assert len(worker.channel.messages()) == 20
    await assert_sound(ledger, serial)


async def due(ledger: Ledger) -> bool:
    soonest = await ledger.batches.next_due()
    return soonest is None or soonest <= 0


async def test_two_campaigns_share_the_limit_of_the_fleet(ledger: Ledger) -> None:
    serials = [await ready(ledger, 5, name) for name in ("a", "b")]
    await ledger.limiter.set_rate("email", Rate.parse("3/h"))
    async with sending(ledger, ScriptedChannel()) as worker:
        for serial in serials:
            await worker.work_once(serial)
        assert len(worker.channel.sent) == 1
    for serial in serials:
        await assert_sound(ledger, serial)


async def test_a_second_job_sends_only_what_is_left(ledger: Ledger) -> None:
    serial = await ready(ledger, 4)
    channel = ScriptedChannel()
    channel.answer = lambda message: (
        PermanentError("smtp_550") if message.to.startswith("person2") else None
    )
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
        assert await finished(ledger, serial)
        channel.answer = lambda _: None
        moved, _ = await ledger.batches.retry(
            serial, 1, failed=True, uncertain=False, held=False, adopt=False
        )
        assert moved == 1
        await worker.work_once(serial)
    assert set(channel.messages().values()) == {1}
    assert len(channel.received()) == 4
    assert await finished(ledger, serial)


class Unusable(ScriptedChannel):
    """A channel that cannot use the templates of any campaign."""

    def composer(self, campaign: Campaign) -> PlainComposer:
        msg = f"campaign {campaign.id} cannot be used"
        raise InputError(msg)


async def test_templates_that_cannot_be_used_leave_no_intent_and_cost_nobody_anything(
    ledger: Ledger,
) -> None:
    serial = await ready(ledger, 3)
    async with sending(ledger, Unusable()) as worker:
        await asyncio.wait_for(worker.work_once(serial), 60)

    assert await ledger.deliveries.read(serial, 1) == {}
    assert await ledger.counted(serial, "d:pending", "d:sending") == [3, 0]
    fields = await ledger.fields(serial, 1)
    assert (fields["fails"], "tok" in fields) == ("1", False), "others may try, at intervals"
    await assert_sound(ledger, serial)
    async with sending(ledger, ScriptedChannel()) as worker:
        await worker.work_once(serial)
        assert set(worker.channel.messages().values()) == {1}
        assert len(worker.channel.received()) == 3


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_job_that_comes_after_a_pause_or_cancel_sends_nothing(
    ledger: Ledger, verb: Literal["pause", "cancel"]
) -> None:
    serial = await ready(ledger, 3)
    async with sending(ledger, ScriptedChannel()) as worker:
        await make_due(ledger, serial)
        (unit,) = await pump(ledger)
        await ledger.campaigns.steer(serial, verb)
        await worker.units.run(unit)
        assert worker.channel.sent == []
    await assert_sound(ledger, serial)
    if verb == "cancel":
        assert await ledger.counted(serial, "l:spare", "d:skipped") == [3, 3]


async def test_a_job_that_runs_twice_works_once(ledger: Ledger) -> None:
    serial = await ready(ledger, 3)
    async with sending(ledger, ScriptedChannel()) as worker:
        await make_due(ledger, serial)
        (unit,) = await pump(ledger)
        await worker.units.run(unit)
        await worker.units.run(unit)
        assert set(worker.channel.messages().values()) == {1}
        batch = await ledger.batches.read(serial, 1)
        assert batch is not None
        assert batch.state is BatchState.DONE


async def test_a_campaign_is_decrypted_once_per_version(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    campaign_cache = CampaignCache(ledger.campaigns, {})
    (unit,) = await pump(ledger)
    found = cast("Claim", await claim(ledger, unit))
    assert isinstance(found.batch, Batch)
    first = await campaign_cache.of(found)
    assert await campaign_cache.of(found) is first
    assert first.campaign == a_campaign()
    assert serial == found.unit.serial
