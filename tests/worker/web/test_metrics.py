"""The metrics say where the installation stands, with bounded labels and nothing secret."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.models import ChannelName
from pipeline.tokens import Purpose
from tests.pipeline.intake.builders import a_campaign
from tests.worker.web.site import Site
from worker.web import gauges, readings

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(site: Site) -> Samples:
    answer = await site.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name.removeprefix("claimcast_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_it_shows_what_the_ledger_counts(site: Site) -> None:
    installation = site.installation
    await installation.finished(await installation.submitted())
    both = a_campaign(
        id="both",
        delivery={"channels": ["email", "sms"], "mode": "all"},
        sms={"body": "{{ link }}"},
    )
    [claim, *_] = await installation.ordered(await installation.submitted(campaign=both))
    await site.app.batches.hold(claim, "links_short", missing=1, reread=0)

    found = await scraped(site)

    assert value(found, "redis_up") == 1
    assert value(found, "campaigns", state="finished") == 1
    assert value(found, "campaigns", state="running") == 1
    assert value(found, "deliveries", channels="email", status="sent") == 5
    assert value(found, "deliveries", channels="email", status="uncertain") == 0
    assert value(found, "deliveries", channels="email+sms", status="pending") == 10
    assert value(found, "people", state="reached") == 5
    assert value(found, "batches", state="done") == 3
    assert value(found, "batches_held", reason="links_short") == 1
    assert value(found, "links", state="missing") == 1
    assert value(found, "campaigns_uncounted") == 0


async def test_it_shows_what_waits(site: Site) -> None:
    serial = await site.installation.submitted()
    redis, (seconds, _) = site.app.redis, await site.app.redis.time()
    await redis.hset(f"cc:{serial}", "sub", str((seconds - 90) * 1000))  # type: ignore[misc]
    await redis.zadd("cc:workers", {"w1": seconds, "w2": seconds - 40})
    await redis.zadd("claimcast", {"job": 1, "other": 2})
    await redis.zadd("claimcast:worker:w1", {"a": 1, "b": 2, "c": 3})
    await site.app.limiter.hush("orders", 60)
    for _ in range(5):
        await site.app.limiter.trip("email", "smtp_421", first=100)
    await site.app.suppressions.add(ChannelName.EMAIL, "a@example.com", "operator")

    found = await scraped(site)

    assert 89 < value(found, "due_lag_seconds", lane="order") < 100
    assert value(found, "due_lag_seconds", lane="send") == 0
    assert value(found, "workers") == 1
    assert value(found, "queue_jobs", queue="submit") == 2
    assert value(found, "queue_jobs", queue="units") == 3
    assert 50 < value(found, "permit_wait_seconds", limit="orders") <= 61
    assert value(found, "permit_wait_seconds", limit="reads") == 0
    assert 90 < value(found, "breaker_open_seconds", channel="email") <= 100
    assert value(found, "breaker_failures", channel="email") == 5
    assert value(found, "breaker_open_seconds", channel="sms") == 0
    assert value(found, "suppressed_addresses") == 1


async def test_what_a_person_stopped_is_not_late(site: Site) -> None:
    serial = await site.installation.submitted()
    await site.app.redis.hset(f"cc:{serial}", "sub", "1000")  # type: ignore[misc]
    await site.app.campaigns.steer(serial, "pause")
    found = await scraped(site)
    assert value(found, "due_lag_seconds", lane="order") == 0
    assert value(found, "campaigns", state="paused") == 1


async def test_webhooks_are_counted_by_kind_and_result(site: Site) -> None:
    await site.signal("1")
    await site.signal("1")
    await site.client.post("/webhooks/fulfillment/guessed")
    await site.twilio("inbound", {"From": "+4930123456000", "Body": "Hello"})
    await site.twilio("inbound", {}, signature=b"wrong")
    found = await scraped(site)
    counts = {
        tuple(sorted(labels)): number
        for (name, labels), number in found.items()
        if name == "webhooks_total"
    }
    assert counts == {
        (("kind", "fulfilment"), ("result", "taken")): 2,
        (("kind", "fulfilment"), ("result", "unknown_token")): 1,
        (("kind", "inbound"), ("result", "ignored")): 1,
        (("kind", "inbound"), ("result", "bad_signature")): 1,
    }


async def test_of_many_campaigns_the_newest_are_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "MOST_CAMPAIGNS", 2)
    monkeypatch.setattr(gauges, "MOST_CAMPAIGNS", 2)
    for number, size in enumerate((1, 2, 4)):
        serial = await site.installation.submitted(size, a_campaign(id=f"c{number}"))
        await site.installation.finished(serial)
    found = await scraped(site)
    assert value(found, "people", state="reached") == 6
    assert value(found, "campaigns_uncounted") == 1


async def test_it_is_read_from_redis_at_most_every_five_seconds(site: Site) -> None:
    await scraped(site)
    await site.installation.submitted()
    assert "campaigns" not in {name for name, _ in await scraped(site)}


async def test_no_address_id_or_token_is_in_it(site: Site) -> None:
    serial = await site.installation.submitted()
    token = site.token(Purpose.FULFILMENT, serial)
    await site.client.post(f"/webhooks/fulfillment/{token}")
    await site.client.post(f"/webhooks/fulfillment/x{token}")
    text = (await site.client.get("/metrics")).text
    assert "claimcast_deliveries" in text
    assert token not in text
    assert not re.search(r"@|survey-2026|links\.example", text)
