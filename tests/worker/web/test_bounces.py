"""A notification counts if its address holds a token of ours; everything else is ignored."""

import asyncio

from structlog.testing import capture_logs

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.models import ChannelName, DeliveryStatus
from tests.pipeline.callbacks.notifications import block, notification
from tests.pipeline.intake.builders import both_channels
from tests.worker.web.site import Site
from worker.web.bounces import bounce_path

EMAIL = ChannelName.EMAIL
FIRST = "p0@example.com"


async def sent(site: Site) -> str:
    """Return the serial of a campaign whose mails the mail server took; SMS comes after it."""
    serial = await site.installation.submitted(2, both_channels())
    await site.installation.finished(serial)
    return serial


def about(site: Site, serial: str, *blocks: str, attempt: int = 1) -> bytes:
    token = site.token(Purpose.BOUNCE, serial, attempt=attempt)
    return notification(f"<bounces+{token}@example.org>", blocks)


async def posted(site: Site, raw: bytes) -> int:
    headers = {"Content-Type": "message/rfc822"}
    path = bounce_path(site.app.tokens)
    return (await site.client.post(path, content=raw, headers=headers)).status_code


async def test_a_hard_bounce_is_recorded_suppresses_and_falls_back(site: Site) -> None:
    serial = await sent(site)
    for _ in range(2):
        assert await posted(site, about(site, serial)) == 202
    mail, sms = await site.records(serial)
    assert (mail.status, mail.code) == (DeliveryStatus.BOUNCED, "bounce_5.1.1")
    assert (sms.channel, sms.status) == (ChannelName.SMS, DeliveryStatus.PENDING)
    assert await site.reason(EMAIL, FIRST) == "bounce_5.1.1"
    assert (await site.records(serial, 1))[0].status is DeliveryStatus.SENT


async def test_a_full_mailbox_is_a_bounce_of_this_message_only(site: Site) -> None:
    serial = await sent(site)
    await posted(site, about(site, serial, block("failed", "5.2.2")))
    assert (await site.records(serial))[0].code == "bounce_5.2.2"
    assert await site.app.suppressions.count() == {}


async def test_a_delay_is_not_the_end_and_a_delivery_is(site: Site) -> None:
    serial = await sent(site)
    await posted(site, about(site, serial, block("delayed", "4.4.1")))
    assert (await site.records(serial))[0].status is DeliveryStatus.SENT
    await posted(site, about(site, serial, block("delivered", "2.0.0")))
    assert (await site.records(serial))[0].status is DeliveryStatus.DELIVERED


async def test_what_is_forged_or_unreadable_is_taken_and_ignored(site: Site) -> None:
    serial = await sent(site)
    genuine = site.token(Purpose.BOUNCE, serial, attempt=1)
    forged = [
        notification(f"<bounces+{genuine[:-1]}{'b' if genuine[-1] == 'a' else 'a'}@example.org>"),
        notification("<bounces+" + site.token(Purpose.UNSUBSCRIBE, serial) + "@example.org>"),
        notification("<bounces+" + bounce_path(site.app.tokens)[-40:] + "@example.org>"),
        notification("<postmaster@example.org>"),
        b"",
        b"\xff" * 5000,
    ]
    with capture_logs() as logs:
        for raw in forged:
            assert await posted(site, raw) == 202
    assert (await site.records(serial))[0].status is DeliveryStatus.SENT
    assert await site.app.suppressions.count() == {}
    metrics = (await site.client.get("/metrics")).text
    assert 'claimcast_webhooks_total{kind="bounce",result="ignored"} 6.0' in metrics
    reasons = [line["why"] for line in logs if line["event"] == "bounce.ignored"]
    assert reasons == ["forged"] * 4 + ["unreadable"] * 2


async def test_only_a_client_that_knows_the_address_may_post(site: Site) -> None:
    serial = await sent(site)
    for token in (site.token(Purpose.BOUNCE, serial, attempt=1), "a" * 40):
        answer = await site.client.post(f"/webhooks/bounces/{token}", content=about(site, serial))
        assert answer.status_code == 404
    assert (await site.records(serial))[0].status is DeliveryStatus.SENT


async def test_a_large_message_is_read_and_a_larger_one_refused(site: Site) -> None:
    serial = await sent(site)
    raw = about(site, serial)
    assert await posted(site, raw + b"x" * ((1 << 20) - len(raw))) == 202
    assert (await site.records(serial))[0].status is DeliveryStatus.BOUNCED
    assert await posted(site, b"x" * ((1 << 20) + 1)) == 413


async def test_many_at_once_are_all_recorded(site: Site) -> None:
    serial = await sent(site)
    codes = await asyncio.gather(*(posted(site, about(site, serial)) for _ in range(30)))
    assert set(codes) == {202}
    assert (await site.records(serial))[0].status is DeliveryStatus.BOUNCED
