"""One step gives a campaign its next version; what was made before it starts nothing after it."""

import asyncio
from typing import Any

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.domain.campaign_versions import version_at
from pipeline.domain.errors import AbandonedError
from pipeline.domain.models import ChannelName
from pipeline.store.deliveries import IntentRequest
from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.pipeline.ledger import (
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

FIRST = IntentRequest(0, ChannelName.EMAIL, 0)
HOUR_MS = 3_600_000


def titled(subject: str, **more: Any) -> Campaign:  # noqa: ANN401 - see a_campaign
    return a_campaign(email={"subject": subject, "text": "{{ link }}"}, **more)


async def paused(ledger: Ledger, number: int = 1) -> str:
    serial = await submit(ledger, titled("one"), [people(number)])
    await ledger.campaigns.steer(serial, "pause")
    return serial


async def edited(
    ledger: Ledger, serial: str, campaign: Campaign, *, made_from: int = 1, nonce: str = "n"
) -> tuple[str, int]:
    return await ledger.campaigns.edit(serial, campaign, made_from=made_from, nonce=nonce)


async def state(ledger: Ledger, serial: str) -> dict[str, bytes | None]:
    return {
        key.decode(): await ledger.redis.dump(key)
        async for key in ledger.redis.scan_iter(match=f"cc:{serial}*")
    }


async def test_the_next_version_counts_and_the_one_before_is_kept_sealed(ledger: Ledger) -> None:
    serial = await paused(ledger)
    assert await edited(ledger, serial, titled("two")) == ("ok", 2)
    assert await edited(ledger, serial, titled("three"), made_from=2, nonce="m") == ("ok", 3)

    assert await ledger.campaigns.definition(serial) == titled("three")
    assert await ledger.campaigns.earlier_definition(serial, 1) == titled("one")
    assert await ledger.campaigns.earlier_definition(serial, 2) == titled("two")
    assert await ledger.campaigns.earlier_definition(serial, 3) is None
    assert b"link" not in (await ledger.redis.get(f"cc:{serial}:def:1") or b"")
    began = CampaignSnapshot("1", await ledger.counters(serial), 0).version_starts()
    assert began[1] <= began[2] <= began[3], "edits may fall into one millisecond"
    await assert_sound(ledger, serial)


async def test_a_repeated_edit_is_done_once(ledger: Ledger) -> None:
    serial = await paused(ledger)
    await edited(ledger, serial, titled("two"))
    before = await state(ledger, serial)
    assert await edited(ledger, serial, titled("two")) == ("ok", 2)
    assert await state(ledger, serial) == before


async def test_of_two_edits_at_once_one_is_made_and_the_other_changes_nothing(
    ledger: Ledger,
) -> None:
    serial = await paused(ledger)
    wanted = [titled("two"), titled("too")]
    found = await asyncio.gather(
        *(edited(ledger, serial, each, nonce=str(i)) for i, each in enumerate(wanted))
    )
    assert sorted(found) == [("ok", 2), ("other", 2)]
    won = wanted[[outcome for outcome, _ in found].index("ok")]
    assert await ledger.campaigns.definition(serial) == won
    assert await ledger.campaigns.earlier_definition(serial, 1) == titled("one")


@pytest.mark.parametrize(
    ("field", "outcome"), [(None, "running"), ("can", "ended"), ("fin", "ended")]
)
async def test_only_a_paused_campaign_is_changed(
    ledger: Ledger, field: str | None, outcome: str
) -> None:
    serial = await submit(ledger, titled("one"), 1)
    if field:
        await ledger.redis.hset(f"cc:{serial}", mapping={field: "1", "pau": "1"})
    before = await state(ledger, serial)
    assert await edited(ledger, serial, titled("two")) == (outcome, 1)
    assert await state(ledger, serial) == before


async def test_a_claim_from_before_an_edit_starts_nothing_after_it(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("one"), [people(2)])
    old = await fulfilled(ledger, serial)
    assert await ledger.deliveries.intend(old, [FIRST]) == [1]
    await ledger.campaigns.steer(serial, "pause")
    await edited(ledger, serial, titled("two"))
    await ledger.campaigns.steer(serial, "resume")

    with pytest.raises(AbandonedError, match="edited"):
        await ledger.deliveries.intend(old, [IntentRequest(1, ChannelName.EMAIL, 0)])

    assert set(await ledger.deliveries.read(serial, 1)) == {0}
    await lapse(ledger, serial)
    new = await taken(ledger, serial, nonce="other")
    assert new.version == "2"
    assert await ledger.deliveries.intend(new, [IntentRequest(1, ChannelName.EMAIL, 0)]) == [1]
    await assert_sound(ledger, serial)


async def started_with(ledger: Ledger, serial: str, index: int) -> int:
    fields = await ledger.counters(serial)
    (record,) = (await ledger.deliveries.read(serial, 1))[index]
    return version_at(
        CampaignSnapshot("1", fields, 0).version_starts(), int(fields["t0"]) + record.started_ms
    )


async def test_the_time_tells_the_version_also_within_one_millisecond(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("one"), [people(2)])
    claim = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(claim, [FIRST])
    await ledger.campaigns.steer(serial, "pause")
    # As if the edit came in the very moment of the last start.
    fields = await ledger.counters(serial)
    (record,) = (await ledger.deliveries.read(serial, 1))[0]
    assert int(fields["last"]) == int(fields["t0"]) + record.started_ms
    await ledger.redis.hset(f"cc:{serial}", "last", str(int(fields["last"]) + 5))
    await edited(ledger, serial, titled("two"))
    assert int((await ledger.counters(serial))["ver:2"]) > int(fields["last"]) + 5
    assert await started_with(ledger, serial, 0) == 1


async def test_the_time_tells_the_version_also_after_the_clock_was_set_back(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, titled("one"), [people(2)])
    old = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(old, [FIRST])
    await ledger.campaigns.steer(serial, "pause")
    # Everything before was noted an hour ahead of the clock that counts from here on.
    ahead = int((await ledger.counters(serial))["last"]) + HOUR_MS
    await ledger.redis.hset(f"cc:{serial}", "last", str(ahead))
    await edited(ledger, serial, titled("two"))
    await ledger.campaigns.steer(serial, "resume")
    await lapse(ledger, serial)
    new = await taken(ledger, serial, nonce="other")
    await ledger.deliveries.intend(new, [IntentRequest(1, ChannelName.EMAIL, 0)])

    fields = await ledger.counters(serial)
    assert int(fields["ver:2"]) == ahead + 1
    assert int(fields["last"]) == ahead + 1
    assert await started_with(ledger, serial, 1) == 2


async def test_new_limits_count_for_batches_that_waited_under_the_old_ones(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("one"), [people(2), people(2, first=2)])
    for batch in (1, 2):
        claim = await fulfilled(ledger, serial, batch)
        await ledger.batches.release(claim, delay=3600 if batch == 1 else 0)
    await ledger.redis.hset(f"cc:gcra:{serial}:email", "next", "9e15")
    assert await pump(ledger) == []
    await ledger.campaigns.steer(serial, "pause")
    await edited(ledger, serial, titled("one", limits={"email": "100/s"}))
    assert await pump(ledger) == []

    await ledger.campaigns.steer(serial, "resume")

    assert {unit.batch for unit in await pump(ledger)} == {1, 2}
    await assert_sound(ledger, serial)


async def test_a_leased_batch_keeps_its_lease(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("one"), [people(2)])
    claim = await fulfilled(ledger, serial)
    await ledger.campaigns.steer(serial, "pause")
    before = await ledger.redis.zscore(f"cc:{serial}:due:s", "1")
    await edited(ledger, serial, titled("two"))
    assert await ledger.redis.zscore(f"cc:{serial}:due:s", "1") == before
    assert await ledger.batches.renew([(claim.unit, claim.token)], 30) == [True]
