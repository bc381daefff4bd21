"""A purge removes personal data of an ended campaign, and keeps the accounts."""

from datetime import timedelta

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName, FactKind
from pipeline.intake.submission import DifferentContentError
from pipeline.operations.erase_recipient import RecipientEraser
from pipeline.operations.purge import CampaignPurger, Retention
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.deliveries import Fact
from pipeline.store.scripts import Scripts
from pipeline.verification.verifier import Verifier
from pipeline.views.campaign_status import as_json
from pipeline.views.report import Report
from pipeline.views.timeline import Timelines
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import both_channels
from tests.support.redis import Redis

DAY = timedelta(days=1)


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


def trail(ledger: Installation) -> AuditTrail:
    return AuditTrail(ledger.redis, Scripts(ledger.redis), ledger.vault)


def purging(ledger: Installation) -> CampaignPurger:
    return CampaignPurger(ledger.campaigns, trail(ledger), ledger.purges)


def retention(ledger: Installation) -> Retention:
    return Retention(ledger.purges, ledger.campaigns, purging(ledger))


async def purged(ledger: Installation, *, people: int = 5) -> str:
    """Return a campaign that finished and was purged."""
    serial = await ledger.submitted(people, both_channels())
    await ledger.finished(serial)
    await purging(ledger).purge(serial, actor="somebody")
    return serial


async def ended_long_ago(ledger: Installation, serial: str, length: timedelta = 2 * DAY) -> None:
    fin = (await ledger.snapshot(serial)).finished_ms
    then = fin - round(length.total_seconds() * 1000)
    await ledger.redis.hset(f"cc:{serial}", "fin", str(then))


async def actors(ledger: Installation) -> list[str]:
    return [entry.actor async for entry in trail(ledger).entries() if entry.action == "purge"]


async def bounce(ledger: Installation, serial: str) -> int:
    fact = Fact(0, ChannelName.EMAIL, 0, FactKind.BOUNCED, "bounce_5.1.1")
    return await ledger.deliveries.record({(serial, 1): [fact]})


# What goes, and what stays


async def test_people_links_and_evidence_are_gone_and_the_books_still_balance(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted(7)
    await ledger.finished(serial)
    await ledger.redis.set(f"cc:{serial}:raw:2", b"sealed")
    await ledger.redis.hset(f"cc:{serial}:a:3", "0", "sealed")
    before = as_json(await ledger.snapshot(serial))
    done = await purging(ledger).purge(serial, actor="somebody")
    kinds = {key.split(b":")[2] for key in await ledger.redis.keys(f"cc:{serial}:*")}
    assert kinds & {b"r", b"k", b"raw", b"a"} == set()
    assert kinds >= {b"def", b"b", b"d", b"x"}
    after = as_json(await ledger.snapshot(serial))
    assert after.pop("purged_at")
    assert after == {name: value for name, value in before.items() if name != "purged_at"}
    findings = await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(
        serial
    )
    assert (findings.count, findings.compared, findings.purged_ms) == (0, True, done)


async def test_what_a_purge_left_behind_breaks_invariant_6(ledger: Installation) -> None:
    serial = await purged(ledger)
    await ledger.redis.set(f"cc:{serial}:r:1", ledger.vault.seal(b"{}", f"rows:{serial}:1"))
    findings = await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(
        serial
    )
    assert [v for v in findings.violations if (v.invariant, v.rule) == (6, "purged")]


async def test_the_report_keeps_its_rows_without_people_and_links(ledger: Installation) -> None:
    serial = await purged(ledger)
    rows = [row async for row in Report(ledger.pages, ledger.vault).rows(serial, 3)]
    assert len(rows) == 5
    assert {row["recipient_id"] for row in rows} == {""}
    assert {row["link_ref"] for row in rows} == {None}
    assert {row["status"] for row in rows} == {"sent"}
    assert all(row["order_id"] and row["po_number"] for row in rows)


async def test_one_persons_timeline_is_still_found_by_the_id(ledger: Installation) -> None:
    serial = await purged(ledger)
    timelines = Timelines(ledger.pages, ledger.campaigns, ledger.vault)
    story = await timelines.of(await ledger.snapshot(serial), "r3")
    assert story["purged_at"]
    assert (story["addresses"], story["link_ref"]) == ({}, None)
    assert [delivery["status"] for delivery in story["deliveries"]] == ["sent"]


async def test_a_link_is_known_for_ever(ledger: Installation) -> None:
    await purged(ledger)
    assert await ledger.redis.keys("cc:links:*")


# When


async def test_only_what_has_ended_is_purged(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.fulfilled(serial)
    with pytest.raises(InputError, match="has not ended"):
        await purging(ledger).purge(serial, actor="somebody")
    assert await ledger.campaigns.recipients(serial, 1)
    assert await actors(ledger) == []
    await ledger.campaigns.steer(serial, "cancel")
    with pytest.raises(InputError, match="has not ended"):
        await purging(ledger).purge(serial, actor="somebody")
    for claim in await ledger.claims(Lane.SEND):
        await ledger.batches.cancel(claim)
    assert await purging(ledger).purge(serial, actor="somebody")


async def test_the_last_look_at_whether_it_has_ended_is_the_ledgers_own(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    run = Scripts(ledger.redis).call
    assert await run("purge_begin", serial, 0) == b"unended"
    assert await run("purge_batches", serial, 1, 3) == 0
    assert await run("purge_end", serial) == b""
    assert await ledger.campaigns.recipients(serial, 1)


async def test_a_killed_purge_goes_on_and_is_recorded_once(ledger: Installation) -> None:
    serial = await ledger.submitted(240)
    await ledger.finished(serial)

    def die(done: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await purging(ledger).purge(serial, actor="first", progress=die)
    assert await ledger.redis.exists(f"cc:{serial}:r:100") == 0
    assert await ledger.redis.exists(f"cc:{serial}:r:101") == 1
    seen: list[int] = []
    first = await purging(ledger).purge(serial, actor="second", progress=seen.append)
    assert seen == [120]
    assert await ledger.redis.exists(f"cc:{serial}:r:101") == 0
    assert await purging(ledger).purge(serial, actor="third") == first
    assert await actors(ledger) == ["first"]


# Nothing is sent again


async def test_from_the_first_step_on_nothing_can_be_sent_again(ledger: Installation) -> None:
    serial = await ledger.submitted(5, both_channels())
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.FAILED, "smtp_550")
    await ledger.settled(serial, FactKind.FAILED, "twilio_30003", channel=ChannelName.SMS)
    await Scripts(ledger.redis).call("purge_begin", serial, 0)
    with pytest.raises(InputError, match="purged"):
        await ledger.batches.retry(serial, 1, failed=True, uncertain=True, held=True, adopt=False)
    assert (await ledger.snapshot(serial)).deliveries()["pending"] == 0


async def test_a_late_bounce_counts_and_reopens_nothing(ledger: Installation) -> None:
    serial = await purged(ledger)
    assert await bounce(ledger, serial) == 1
    snapshot = await ledger.snapshot(serial)
    assert snapshot.ended
    assert snapshot.deliveries() | {"sent": 4, "bounced": 1} == snapshot.deliveries()
    assert (snapshot.deliveries()["pending"], snapshot.people()["not_reached"]) == (0, 1)
    assert await ledger.claims(Lane.SEND) == []
    findings = await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(
        serial
    )
    assert findings.violations == []


async def test_the_same_campaign_again_is_refused_as_done(ledger: Installation) -> None:
    await purged(ledger)
    with pytest.raises(DifferentContentError, match=r"carried out before.*purged"):
        await ledger.submitted(5, both_channels())


async def test_nobody_can_be_erased_any_more(ledger: Installation) -> None:
    serial = await purged(ledger)
    forgetting = RecipientEraser(ledger.pages, ledger.campaigns, ledger.erasures, ledger.vault)
    for call in (forgetting.look, forgetting.forget):
        with pytest.raises(InputError, match="nothing is left"):
            await call(await ledger.snapshot(serial), "r3")


# Retention


async def test_what_ended_long_ago_is_purged_by_itself(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ended_long_ago(ledger, serial)
    assert await ledger.purges.expired([serial], DAY) == {serial}
    await retention(ledger).run("worker", DAY)
    assert (await ledger.snapshot(serial)).purged_ms
    assert await ledger.purges.expired([serial], DAY) == set()
    assert await actors(ledger) == ["retention"]


async def test_a_campaign_that_ended_recently_stays(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ended_long_ago(ledger, serial)
    await retention(ledger).run("worker", 3 * DAY)
    assert not (await ledger.snapshot(serial)).purging


async def test_what_was_reopened_meanwhile_stays(ledger: Installation) -> None:
    serial = await ledger.submitted(5, both_channels())
    await ledger.finished(serial)
    await ended_long_ago(ledger, serial)
    await bounce(ledger, serial)
    assert not (await ledger.snapshot(serial)).ended
    await retention(ledger).run("worker", DAY)
    assert not (await ledger.snapshot(serial)).purging


async def test_without_a_retention_only_what_was_begun_is_brought_to_its_end(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ended_long_ago(ledger, serial, 10_000 * DAY)
    await retention(ledger).run("worker", timedelta(0))
    assert not (await ledger.snapshot(serial)).purging
    await ledger.redis.delete("cc:purger")
    await Scripts(ledger.redis).call("purge_begin", serial, 0)
    await retention(ledger).run("worker", timedelta(0))
    assert (await ledger.snapshot(serial)).purged_ms


async def test_one_worker_of_the_fleet_at_a_time(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ended_long_ago(ledger, serial)
    await ledger.redis.set("cc:purger", "another")
    await retention(ledger).run("worker", DAY)
    assert not (await ledger.snapshot(serial)).purging


async def test_a_campaign_that_cannot_be_purged_does_not_stop_the_worker(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ended_long_ago(ledger, serial)
    await ledger.redis.rpush("cc:audit", "damaged")
    await retention(ledger).run("worker", DAY)
    assert not (await ledger.snapshot(serial)).purging
