"""The metrics say where the installation stands, with bounded labels and nothing secret."""

import re

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.batch import Lane, WaitCounter
from pipeline.domain.metrics import Measurements
from pipeline.domain.models import ChannelName, FactKind
from tests.docs.documents import document
from tests.pipeline.intake.builders import a_campaign, both_channels
from tests.support.prolong import prolong
from tests.support.waiting import wait_until
from tests.worker.web.site import Site
from worker.web import gauges, metrics

LONG = 600  # seconds that do not pass meanwhile, however busy the machine is
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
LABELS = {
    *("cause", "channel", "kind", "lane", "le", "limit", "queue", "reason", "result", "stage"),
    "state",
    "status",
}


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
    assert value(found, "deliveries", channel="email", status="sent") == 5
    assert value(found, "deliveries", channel="email", status="uncertain") == 0
    assert value(found, "deliveries", channel="sms", status="sent") == 0
    assert value(found, "deliveries_pending") == 10
    assert value(found, "people", state="reached") == 5
    assert value(found, "batches", state="done") == 3
    assert value(found, "batches_held", reason="links_short") == 1
    assert value(found, "links", state="missing") == 1
    assert value(found, "campaigns_uncounted") == 0


async def test_it_shows_what_waits(site: Site) -> None:
    serial = await site.installation.submitted()
    redis, (seconds, _) = site.app.redis, await site.app.redis.time()
    await redis.hset(f"cc:{serial}", "sub", str((seconds - 90) * 1000))
    await redis.zadd("cc:workers", {"w1": seconds + LONG, "w2": seconds - 40})
    await redis.zadd("claimcast", {"job": 1, "other": 2})
    await redis.zadd("claimcast:worker:w1", {"a": 1, "b": 2, "c": 3})
    await site.app.limiter.cool_down("orders", LONG)
    for _ in range(5):
        await site.app.limiter.trip("email", "smtp_421", first=LONG, longest=LONG)
    await site.app.suppressions.add(ChannelName.EMAIL, "a@example.com", "operator")

    found = await scraped(site)
    passed = (await redis.time())[0] - seconds

    assert 90 <= value(found, "due_lag_seconds", lane="order") <= 91 + passed
    assert value(found, "due_lag_seconds", lane="send") == 0
    assert value(found, "workers") == 1
    assert value(found, "queue_jobs", queue="submit") == 2
    assert value(found, "queue_jobs", queue="units") == 3
    assert LONG - passed - 1 <= value(found, "next_permit_seconds", limit="orders") <= LONG
    assert value(found, "next_permit_seconds", limit="reads") == 0
    assert LONG - passed - 1 <= value(found, "breaker_open_seconds", channel="email") <= LONG
    assert value(found, "breaker_failures", channel="email") == 5
    assert value(found, "breaker_open_seconds", channel="sms") == 0
    assert value(found, "suppressed_addresses") == 1


async def test_deliveries_are_counted_by_the_channel_that_was_tried(site: Site) -> None:
    installation = site.installation
    serial = await installation.submitted(campaign=both_channels())
    await installation.fulfilled(serial)
    await installation.settled(serial, FactKind.FAILED, "smtp_550")
    await installation.settled(serial, channel=ChannelName.SMS)

    found = await scraped(site)

    assert value(found, "deliveries", channel="email", status="failed") == 5
    assert value(found, "deliveries", channel="sms", status="sent") == 5
    assert value(found, "deliveries_pending") == 0


async def test_what_the_workers_counted_is_added_up(site: Site) -> None:
    first, second = Measurements(), Measurements()
    first.attempt(ChannelName.EMAIL, FactKind.SENT)
    second.attempt(ChannelName.EMAIL, FactKind.SENT)
    second.attempt(ChannelName.SMS, FactKind.FAILED_OUTRIGHT)
    first.stage(Lane.SEND, 0.1)
    second.stage(Lane.SEND, 0.11)
    second.stage(Lane.SEND, 77.5)
    first.permits("orders", 2, 0.0)
    second.permits("orders", 0, 1.5)
    first.order_read("poll")
    second.order_read("webhook")
    (now, _), redis = await site.app.redis.time(), site.app.redis
    await redis.zadd("cc:workers", {"w1": now + LONG, "w2": now + LONG, "dead": now - 60})
    await redis.hset("cc:stats", "attempts|pigeon|<script>", "7")
    for worker, held in (("w1", first), ("w2", second), ("dead", Measurements())):
        await site.app.workers.report(worker, held, leases=3)

    found = await scraped(site)

    assert value(found, "leases") == 6
    assert value(found, "attempts_total", channel="email", result="sent") == 2
    assert value(found, "attempts_total", channel="sms", result="failed") == 1
    assert value(found, "order_reads_total", cause="poll") == 1
    assert value(found, "order_reads_total", cause="webhook") == 1
    assert value(found, "permit_wait_seconds_count", limit="orders") == 2
    assert value(found, "permit_wait_seconds_sum", limit="orders") == 1.5
    buckets = [
        value(found, "stage_seconds_bucket", stage="send", le=bound)
        for bound in ("0.05", "0.1", "0.25", "30.0", "+Inf")
    ]
    assert buckets == [0, 1, 2, 2, 3]
    assert value(found, "stage_seconds_count", stage="send") == 3
    assert value(found, "stage_seconds_sum", stage="send") == pytest.approx(77.71)
    assert "pigeon" not in (await site.client.get("/metrics")).text


async def test_a_webhook_is_named_as_the_cause_of_the_read_that_follows(site: Site) -> None:
    serial = await site.installation.submitted(1)
    await site.waiting(serial)
    assert (await site.signal(serial)).status_code == 204
    await wait_until(lambda: site.is_due(serial))
    [claim] = await site.installation.claims(Lane.READ)
    assert claim.batch.lease.woken

    await site.app.batches.release(claim, delay=0)
    [claim] = await site.installation.claims(Lane.READ)
    assert claim.batch.lease.woken, "without a permit nothing was read yet"
    await site.app.batches.release(claim, delay=0, counter=WaitCounter.POLLS)
    [claim] = await site.installation.claims(Lane.READ)
    assert not claim.batch.lease.woken


async def test_names_and_types_are_as_prometheus_wants_them(site: Site) -> None:
    await site.signal("1")
    await site.installation.finished(await site.installation.submitted())
    text = (await site.client.get("/metrics")).text
    ours = [
        family
        for family in text_string_to_metric_families(text)
        if family.name.startswith("claimcast_")
    ]
    assert len({family.name for family in ours}) == len(ours) > 20
    for family in ours:
        assert family.documentation, family.name
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name)
        assert family.type in {"counter", "gauge", "summary", "histogram"}, family.name
        assert not re.search(r"_(total|count|sum|bucket|created|info)$", family.name), family.name
        assert not re.search(r"(_ms|milli|minutes|hours|_gauge|_counter)", family.name)
        if family.type in {"summary", "histogram"}:
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            assert family.type != "counter" or sample.name == f"{family.name}_total"
            assert set(sample.labels) <= LABELS


async def test_the_documents_name_every_metric_with_its_labels(site: Site) -> None:
    await site.signal("1")
    await site.installation.finished(await site.installation.submitted())
    serial = await site.installation.submitted(1, a_campaign(id="held"))
    [claim] = await site.installation.ordered(serial)
    await site.app.batches.hold(claim, "links_short", missing=1, reread=0)
    attempted = Measurements()
    attempted.attempt(ChannelName.EMAIL, FactKind.SENT)
    await site.app.workers.report("w", attempted, leases=0)
    text = (await site.client.get("/metrics")).text
    shown = {
        (family.name + "_total" * (family.type == "counter"), labels_of(family))
        for family in text_string_to_metric_families(text)
        if family.name.startswith("claimcast_")
    }
    page = document("docs/operate/monitoring.md").text
    rows = re.findall(r"^\| `(claimcast_[a-z_]+)` \|([a-z_`, ]*)\|", page, re.MULTILINE)
    named = {(name, frozenset(re.findall(r"[a-z_]+", labels))) for name, labels in rows}
    assert named == shown


def labels_of(family: Metric) -> frozenset[str]:
    return frozenset(name for sample in family.samples for name in sample.labels) - {"le"}


async def test_what_a_person_stopped_is_not_late(site: Site) -> None:
    serial = await site.installation.submitted()
    await site.app.redis.hset(f"cc:{serial}", "sub", "1000")
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
    monkeypatch.setattr(gauges, "MOST_CAMPAIGNS", 2)
    for number, size in enumerate((1, 2, 4)):
        serial = await site.installation.submitted(size, a_campaign(id=f"c{number}"))
        await site.installation.finished(serial)
    found = await scraped(site)
    assert value(found, "people", state="reached") == 6
    assert value(found, "campaigns_uncounted") == 1


async def test_it_is_read_from_redis_only_when_it_is_no_longer_fresh(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scraped(site)
    prolong(monkeypatch, metrics, "_FRESH_SECONDS", usual=5.0)
    await site.installation.submitted()
    assert "campaigns" not in {name for name, _ in await scraped(site)}
    monkeypatch.setattr(metrics, "_FRESH_SECONDS", 0.0)
    assert "campaigns" in {name for name, _ in await scraped(site)}


async def test_no_address_id_or_token_is_in_it(site: Site) -> None:
    serial = await site.installation.submitted()
    token = site.token(Purpose.FULFILMENT, serial)
    await site.client.post(f"/webhooks/fulfillment/{token}")
    await site.client.post(f"/webhooks/fulfillment/x{token}")
    text = (await site.client.get("/metrics")).text
    assert "claimcast_deliveries" in text
    assert token not in text
    assert not re.search(r"@|survey-2026|links\.example", text)
