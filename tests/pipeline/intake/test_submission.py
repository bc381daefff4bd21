"""A campaign is taken in whole or not at all, once, and never with other content."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.intake.recipients import Summary
from pipeline.intake.submission import (
    DeclinedError,
    DifferentContentError,
    InvalidRecipientsError,
    Submission,
    Submitted,
)
from tests.pipeline.intake.builders import a_campaign as an_intake_campaign
from tests.pipeline.intake.builders import an_intake, both_channels
from tests.pipeline.ledger import Ledger, assert_sound, open_ledger
from tests.support.redis import Redis
from tests.support.waiting import wait_until

SEVEN = [f"r{number},p{number}@example.com" for number in range(7)]


def rows(lines: list[str]) -> str:
    return "\n".join(["id,email", *lines])


def a_submission(
    ledger: Ledger, lines: list[str] = SEVEN, campaign: Campaign | None = None, **more: bool
) -> Submission:
    campaign = campaign or an_intake_campaign()
    intake = an_intake(rows(lines), campaign)
    return Submission(
        ledger.intake_ledger(3),
        campaign,
        intake,
        actor="ann",
        expected_rows=len(lines),
        **more,
    )


async def left_behind(redis: Redis) -> set[bytes]:
    trail = {b"cc:audit", b"cc:audit:count"}  # it says what was tried as well
    return {key async for key in redis.scan_iter()} - {b"cc:serial"} - trail


async def test_a_campaign_is_taken_in_as_it_was_read(ledger: Ledger) -> None:
    done = await a_submission(ledger).run()
    assert done.created
    snapshot = await ledger.campaigns.snapshot(done.serial)
    assert (snapshot.recipients, snapshot.batch_count, snapshot.batch_size) == (7, 3, 3)
    found = [
        recipient.id
        for batch in (1, 2, 3)
        for recipient in await ledger.campaigns.recipients(done.serial, batch)
    ]
    assert found == [f"r{number}" for number in range(7)]
    assert await ledger.campaigns.locate(snapshot, "r6") == (3, 0)
    await assert_sound(ledger, done.serial)


async def test_the_same_again_changes_nothing(ledger: Ledger, redis: Redis) -> None:
    first = await a_submission(ledger).run()
    before = {key: await redis.dump(key) for key in await left_behind(redis)}
    again = await a_submission(ledger).run()
    assert (again.serial, again.created) == (first.serial, False)
    assert {key: await redis.dump(key) for key in await left_behind(redis)} == before


@pytest.mark.parametrize(
    ("lines", "difference"),
    [
        (["r0,other@example.com", *SEVEN[1:]], "first on line 2"),
        ([*SEVEN[:4], "x,p4@example.com", *SEVEN[5:]], "first on line 6"),
        ([SEVEN[1], SEVEN[0], *SEVEN[2:]], "first on line 2"),
        (SEVEN[:6], "6 now, 7 then"),
        ([*SEVEN, "r7,p7@example.com"], "8 now, 7 then"),
    ],
)
async def test_other_recipients_under_the_same_id_are_refused_by_line(
    ledger: Ledger, lines: list[str], difference: str
) -> None:
    await a_submission(ledger).run()
    with pytest.raises(DifferentContentError, match=difference) as caught:
        await a_submission(ledger, lines).run()
    assert "@" not in str(caught.value)


async def test_what_else_differs_is_named(ledger: Ledger) -> None:
    await a_submission(ledger).run()
    other = an_intake_campaign(
        reward={"product_id": "CVS", "value": "11.00"},
        email={"subject": "Other", "text": "{{ link }}"},
    )
    with pytest.raises(DifferentContentError, match=r": \[reward\], \[email\] differ\."):
        await a_submission(ledger, campaign=other).run()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"reward": {"product_id": "CVS", "value": "25.00"}},
            "`reward.value` (10.00 then, 25.00 now)",
        ),
        ({"name": "Zoë's"}, "`name`"),
        ({"email": {"subject": "Zoë's", "text": "Zoë: {{ link }}"}}, "[email]"),
    ],
)
async def test_a_single_difference_is_reported_by_its_key_without_personal_text(
    ledger: Ledger, changes: dict[str, Any], told: str
) -> None:
    await a_submission(ledger).run()
    with pytest.raises(DifferentContentError) as caught:
        await a_submission(ledger, campaign=an_intake_campaign(**changes)).run()
    assert f"with other content: {told} differs." in str(caught.value)
    assert "Zoë" not in str(caught.value)


async def test_two_submits_of_the_same_at_once_are_one_campaign(ledger: Ledger) -> None:
    found = await asyncio.gather(*(a_submission(ledger).run() for _ in range(3)))
    assert sorted(each.created for each in found) == [False, False, True]
    assert len({each.serial for each in found}) == 1
    await assert_sound(ledger, found[0].serial)


async def test_of_two_submits_with_other_content_at_once_one_is_refused(ledger: Ledger) -> None:
    found = await asyncio.gather(
        a_submission(ledger).run(), a_submission(ledger, SEVEN[:5]).run(), return_exceptions=True
    )
    done = [each for each in found if isinstance(each, Submitted)]
    assert len(done) == 1
    assert [type(each) for each in found if each not in done] == [DifferentContentError]
    await assert_sound(ledger, done[0].serial)


@pytest.mark.parametrize(
    "lines",
    [
        ["r0,p0@example.com", "r0,p1@example.com"],
        ["r0,p0@example.com", "r1,", "r2,nonsense"],
        [],
        [*SEVEN, "r3,late@example.com"],
    ],
)
async def test_wrong_recipients_leave_nothing_behind(
    ledger: Ledger, redis: Redis, lines: list[str]
) -> None:
    with pytest.raises(InvalidRecipientsError) as caught:
        await a_submission(ledger, lines).run()
    assert caught.value.summary.problem_count
    assert await left_behind(redis) == set()


async def test_faulty_rows_may_be_left_out_on_request(ledger: Ledger) -> None:
    done = await a_submission(ledger, [*SEVEN, "x,nonsense"], skip_invalid=True).run()
    assert await ledger.counted(done.serial, "n") == [7]


def asked(answer: bool) -> Callable[[Summary], object]:  # noqa: FBT001
    async def confirm(summary: Summary) -> bool:
        assert summary.accepted == 7
        return answer

    return confirm


async def test_declining_leaves_nothing_behind(ledger: Ledger, redis: Redis) -> None:
    with pytest.raises(DeclinedError):
        await a_submission(ledger).run(asked(answer=False))  # type: ignore[arg-type]
    assert await left_behind(redis) == set()
    assert (await a_submission(ledger).run(asked(answer=True))).created  # type: ignore[arg-type]


async def test_an_interrupt_while_the_person_is_asked_leaves_nothing_behind(
    ledger: Ledger, redis: Redis
) -> None:
    is_asked = asyncio.Event()

    async def confirm(_: Summary) -> bool:
        is_asked.set()
        return await asyncio.Event().wait()

    task = asyncio.create_task(a_submission(ledger).run(confirm))
    await is_asked.wait()
    assert await left_behind(redis)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left_behind(redis) == set()


async def test_a_person_who_thinks_for_long_keeps_the_staging_area(
    ledger: Ledger, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.intake.submission._KEEP_ALIVE", 0.02)

    async def lapses() -> int:
        entry = await redis.hget("cc:staging", "survey-2026-11") or b"0 x 0"
        return int(entry.split()[2])

    async def confirm(_: Summary) -> bool:
        first = await lapses()

        async def moved() -> bool:
            return await lapses() > first + 50

        await wait_until(moved)
        return True

    assert (await a_submission(ledger).run(confirm)).created


async def test_deliveries_are_counted_by_mode(redis: Redis) -> None:
    lines = ["r0,p0@example.com,+4915123456789", "r1,p1@example.com,", "r2,,+4915123456780"]
    text = "\n".join(["id,email,phone", *lines])
    for mode, number in (("first", 3), ("all", 4)):
        await redis.flushall()
        ledger, campaign = open_ledger(redis), both_channels(mode=mode)
        done = await Submission(
            ledger.intake_ledger(2),
            campaign,
            an_intake(text, campaign),
            actor="ann",
            expected_rows=3,
        ).run()
        assert await ledger.counted(done.serial, "d:pending", "p:open") == [number, 3]
        await assert_sound(ledger, done.serial)
