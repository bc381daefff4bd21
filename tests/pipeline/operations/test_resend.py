"""A person in the ledger is given a new resend, and everything else stays consistent."""

import asyncio

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.deliveries import Fact, IntentRequest, RecipientPlace
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.scripts import Scripts
from pipeline.store.suppressions import Suppressions
from pipeline.verification.verifier import Verifier
from pipeline.views.report import Disclosure, Report
from pipeline.views.timeline import Timelines
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import both_channels
from tests.pipeline.operations.resends import EMAIL, OTHER, SMS, a_minute_passes, resend
from tests.support.redis import Redis

SECOND = (1, 1)
"""The place of r1: batch and index."""


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


async def reached(ledger: Installation, campaign: Campaign | None = None) -> str:
    """Return the serial of a finished campaign of a minute ago."""
    serial = await ledger.submitted(campaign=campaign)
    await ledger.finished(serial)
    await a_minute_passes(ledger, serial)
    return serial


async def over(
    ledger: Installation, serial: str, channel: ChannelName = EMAIL
) -> DeliveryRecord | None:
    found = (await ledger.deliveries.read(serial, 1))[SECOND[1]]
    return next((record for record in found if record.channel is channel), None)


async def happened(
    ledger: Installation,
    serial: str,
    kind: FactKind,
    code: str = "",
    *,
    channel: ChannelName = EMAIL,
    attempt: int = 1,
    resend_number: int,
) -> int:
    fact = Fact(SECOND[1], channel, attempt, kind, code, resend_number=resend_number)
    return await ledger.deliveries.record({(serial, SECOND[0]): [fact]})


async def assert_true(ledger: Installation, serial: str) -> None:
    verifier = Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault)
    findings = await verifier.run(serial)
    assert findings.compared
    assert findings.violations == []


async def told(ledger: Installation, serial: str) -> list[tuple[int, str, str]]:
    timelines = Timelines(ledger.pages, ledger.campaigns, ledger.vault)
    document = await timelines.of(await ledger.snapshot(serial), "r1")
    resends = document["earlier"] + document["deliveries"]
    return [(each["generation"], each["address"], each["status"]) for each in resends]


async def test_a_finished_campaign_is_open_until_the_new_message_is_sent(
    ledger: Installation,
) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1")
    snapshot = await ledger.snapshot(serial)
    assert snapshot.ended is False
    assert snapshot.people() == {"reached": 4, "not_reached": 0, "open": 1}
    await assert_true(ledger, serial)

    await settled(ledger, serial)
    snapshot = await ledger.snapshot(serial)
    assert snapshot.ended
    assert snapshot.deliveries()["sent"] == 5
    assert await told(ledger, serial) == [
        (1, "p…@example.com", "sent"),
        (2, "p…@example.com", "sent"),
    ]
    await assert_true(ledger, serial)


async def settled(ledger: Installation, serial: str, resend_number: int = 2) -> None:
    """Send what waits over e-mail, as a worker does."""
    for claim in await ledger.claims(Lane.SEND):
        wanted = [IntentRequest(SECOND[1], EMAIL, 0, resend_number=resend_number)]
        assert await ledger.deliveries.intend(claim, wanted) == [1]
        assert await happened(ledger, serial, FactKind.SENT, resend_number=resend_number) == 1
        await ledger.batches.distributed(claim, delay=0)


async def test_a_worker_with_old_data_starts_nothing(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.fulfilled(serial)
    claims = await ledger.claims(Lane.SEND)
    await resend(ledger, serial, "r1", EMAIL, OTHER)
    [claim] = [claim for claim in claims if claim.unit.batch == SECOND[0]]
    wanted = [IntentRequest(0, EMAIL, 0), IntentRequest(SECOND[1], EMAIL, 0)]
    assert await ledger.deliveries.intend(claim, wanted) == [1, 0]
    assert (await ledger.campaigns.current_recipients(serial, 1))[1].email == OTHER
    assert (await ledger.campaigns.recipients(serial, 1))[1].email == "p1@example.com"


@pytest.mark.parametrize(
    "kind", [FactKind.BOUNCED, FactKind.FAILED, FactKind.DELIVERED, FactKind.SUPPRESSED]
)
async def test_a_late_report_of_an_earlier_resend_is_kept_with_it(
    ledger: Installation, kind: FactKind
) -> None:
    serial = await reached(ledger, both_channels())
    await resend(ledger, serial, "r1")
    before = await ledger.redis.hgetall(f"cc:{serial}:d:1")
    for change in (1, 0):
        assert await happened(ledger, serial, kind, "late", attempt=0, resend_number=1) == change
    assert await ledger.redis.hgetall(f"cc:{serial}:d:1") == before
    [first, second] = await told(ledger, serial)
    assert (first[2], second[2]) == (kind.value, "pending")
    await assert_true(ledger, serial)


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
async def test_an_earlier_resend_never_waits_again(ledger: Installation, kind: FactKind) -> None:
    serial = await ledger.submitted()
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.UNCERTAIN, "worker_lost")
    await a_minute_passes(ledger, serial)
    await resend(ledger, serial, "r1")
    assert await happened(ledger, serial, kind, "late", resend_number=1) == 0
    assert [status for *_, status in await told(ledger, serial)] == ["uncertain", "pending"]
    await assert_true(ledger, serial)


async def test_the_failure_of_a_resent_message_falls_back(ledger: Installation) -> None:
    serial = await reached(ledger, both_channels())
    await resend(ledger, serial, "r1", EMAIL, OTHER, elsewhere=True)
    await settled(ledger, serial)
    assert await happened(ledger, serial, FactKind.BOUNCED, "bounce_5.1.1", resend_number=2) == 1
    sms = await over(ledger, serial, SMS)
    assert sms is not None
    assert (sms.status, sms.resend_number) == ("pending", 1)
    await assert_true(ledger, serial)


async def test_a_person_without_that_channel_gets_it(ledger: Installation) -> None:
    campaign = both_channels()
    serial = await ledger.submitted(campaign=campaign)
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:b:1", "plan", "31")
    await a_minute_passes(ledger, serial)
    await resend(ledger, serial, "r1", SMS, "+4930999", elsewhere=True)
    assert (await ledger.batches.read(serial, 1)).plan == "33"  # type: ignore[union-attr]
    mail, sms = (await over(ledger, serial), await over(ledger, serial, SMS))
    assert mail is not None
    assert sms is not None
    assert (mail.status, sms.status, sms.resend_number) == ("sent", "pending", 1)
    await assert_true(ledger, serial)


async def test_another_channel_takes_the_place_of_the_one_that_waits(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted(campaign=both_channels())
    await ledger.fulfilled(serial)
    await resend(ledger, serial, "r1", SMS, "+4930999")
    mail, sms = (await over(ledger, serial), await over(ledger, serial, SMS))
    assert mail is not None
    assert sms is not None
    assert (mail.status, mail.code, sms.status) == ("skipped", "retry", "pending")
    await assert_true(ledger, serial)


async def test_a_message_with_an_unknown_end_is_not_repeated_beside_the_new_one(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted(campaign=both_channels())
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.UNCERTAIN, "smtp_lost")
    await a_minute_passes(ledger, serial)
    await resend(ledger, serial, "r1", SMS, "+4930999", elsewhere=True)
    mail = await over(ledger, serial)
    assert mail is not None
    assert (mail.status, mail.code) == ("skipped", "superseded")
    assert await happened(ledger, serial, FactKind.DEFERRED, resend_number=1) == 0
    assert await happened(ledger, serial, FactKind.DELIVERED, resend_number=1) == 1
    await assert_true(ledger, serial)


async def test_an_address_is_kept_until_the_link_is_there(ledger: Installation) -> None:
    serial = await ledger.submitted()
    with pytest.raises(InputError, match="no link yet"):
        await resend(ledger, serial, "r1")
    await resend(ledger, serial, "r1", EMAIL, OTHER)
    await assert_true(ledger, serial)
    await ledger.fulfilled(serial)
    assert (await ledger.campaigns.current_recipients(serial, 1))[1].email == OTHER
    await assert_true(ledger, serial)


async def test_the_same_list_is_still_the_same_after_a_correction(ledger: Installation) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1", EMAIL, OTHER, elsewhere=True)
    assert await ledger.submitted() == serial


async def test_the_report_shows_the_latest_resend_and_its_address(
    ledger: Installation,
) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1", EMAIL, OTHER, elsewhere=True)
    rows = [
        (row["recipient_id"], row["status"], row["attempts"], row["address"])
        async for row in Report(ledger.pages, ledger.vault, Disclosure(addresses=True)).rows(
            serial, 3
        )
    ]
    assert rows[:2] == [("r0", "sent", 1, "p0@example.com"), ("r1", "pending", 0, OTHER)]


async def test_a_suppressed_address_is_not_resent_to(ledger: Installation) -> None:
    serial = await reached(ledger)
    await Suppressions(ledger.redis, ledger.vault).add(EMAIL, "p1@example.com", "unsubscribed")
    with pytest.raises(InputError, match=r"suppression list \(unsubscribed\)"):
        await resend(ledger, serial, "r1")


async def test_of_two_at_once_one_message_goes_out(ledger: Installation) -> None:
    serial = await reached(ledger)
    outcomes = await asyncio.gather(
        *(resend(ledger, serial, "r1") for _ in range(4)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    record = await over(ledger, serial)
    assert record is not None
    assert record.resend_number == 2


async def test_a_change_between_reading_and_writing_counts(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.fulfilled(serial)
    [claim] = [c for c in await ledger.claims(Lane.SEND) if c.unit.batch == SECOND[0]]
    assert await ledger.deliveries.intend(claim, [IntentRequest(SECOND[1], EMAIL, 0)]) == [1]
    place = RecipientPlace(serial, *SECOND)
    assert await ledger.deliveries.resend(place, EMAIL, 2, seen="", sealed=b"x") == "changed"
    record = await over(ledger, serial)
    assert record is not None
    assert (record.status, record.resend_number) == ("sending", 1)


async def test_a_batch_that_somebody_works_on_is_due_again_at_once(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.fulfilled(serial)
    claims = await ledger.claims(Lane.SEND)
    await resend(ledger, serial, "r1", EMAIL, OTHER)
    for claim in claims:
        await ledger.batches.release(claim, delay=600)
    assert [claim.unit.batch for claim in await ledger.claims(Lane.SEND)] == [SECOND[0]]


async def test_a_repeated_change_is_made_once(ledger: Installation) -> None:
    serial = await reached(ledger)
    seen = (await ledger.redis.hget(f"cc:{serial}:d:1", "1")).decode()
    for _ in range(2):
        place = RecipientPlace(serial, *SECOND)
        assert await ledger.deliveries.resend(place, EMAIL, 2, seen=seen, sealed=b"x") == "ok"
    assert (await ledger.redis.hget(f"cc:{serial}:g:1", "1")).count(b";") == 0
    assert (await ledger.snapshot(serial)).deliveries()["pending"] == 1


async def test_it_is_audited_without_address_and_id(ledger: Installation) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1", EMAIL, OTHER, elsewhere=True)
    trail = AuditTrail(ledger.redis, Scripts(ledger.redis), ledger.vault)
    entry = [entry async for entry in trail.entries()][-1]
    assert (entry.action, entry.actor, entry.campaign) == ("resend", "ann", "survey-2026-11")
    assert entry.details == {
        "recipient": trail.person_digest("survey-2026-11", "r1"),
        "channel": "email",
        "generation": 2,
        "other_address": True,
    }


async def test_a_link_that_was_sent_is_not_spare_after_a_cancel(ledger: Installation) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1")
    await ledger.campaigns.steer(serial, "cancel")
    for claim in await ledger.claims(Lane.SEND):
        await ledger.batches.cancel(claim)
    assert (await ledger.snapshot(serial)).links()["spare"] == 0
    await assert_true(ledger, serial)
    with pytest.raises(InputError, match="was cancelled, and that is final"):
        await resend(ledger, serial, "r1")


async def test_nothing_readable_of_the_address_rests(ledger: Installation) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1", EMAIL, OTHER, elsewhere=True)
    [sealed] = await ledger.redis.hvals(f"cc:{serial}:a:1")
    assert b"other" not in sealed


async def test_an_unknown_recipient_is_named(ledger: Installation) -> None:
    serial = await reached(ledger)
    with pytest.raises(InputError, match='has no recipient "R1"'):
        await resend(ledger, serial, "R1")


async def test_verify_finds_resends_that_nobody_can_read_or_that_are_out_of_turn(
    ledger: Installation,
) -> None:
    serial = await reached(ledger)
    await resend(ledger, serial, "r1")
    await ledger.redis.hset(f"cc:{serial}:a:1", "1", b"\x80damaged")
    await ledger.redis.hset(f"cc:{serial}:g:1", "1", "se2.1.0.0.5.")
    verifier = Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault)
    found = [str(violation) for violation in (await verifier.run(serial)).violations]
    assert any("cannot be decrypted" in each for each in found)
    assert any("generations of recipient 2 are not in their turn" in each for each in found)
    assert "p1@example.com" not in " ".join(found)
    assert len(found) == 2
