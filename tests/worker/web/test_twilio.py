"""What Twilio posts counts if Twilio signed it, forward only, and STOP works at once."""

import asyncio
from itertools import permutations

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # no py.typed

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.store.formats.records import DeliveryRecord
from tests.pipeline.intake.builders import a_campaign, both_channels
from tests.worker.web.site import AUTH_TOKEN, PUBLIC, Site, open_site

SMS = ChannelName.SMS
FIRST_PHONE = "+4930123456000"  # of the installation's first recipient


async def sent(site: Site) -> str:
    """Return the serial of a campaign whose SMS were taken by Twilio."""
    campaign = both_channels(mode="all")
    serial = await site.installation.submitted(2, campaign)
    await site.installation.fulfilled(serial)
    await site.installation.settled(serial, channel=SMS)
    return serial


async def sent_in_order(site: Site) -> str:
    """Return the serial of a campaign by SMS, or else by e-mail, whose SMS were taken."""
    delivery = {"channels": ["sms", "email"]}
    campaign = a_campaign(delivery=delivery, sms={"body": "{{ link }}"})
    serial = await site.installation.submitted(2, campaign)
    await site.installation.fulfilled(serial)
    await site.installation.settled(serial, channel=SMS)
    return serial


async def only_sms(site: Site, serial: str) -> DeliveryRecord:
    """Return the one SMS of the first person, whose other channel is not begun."""
    return next(found for found in await site.records(serial) if found.channel is SMS)


def callback(site: Site, serial: str, index: int = 0) -> str:
    return site.token(Purpose.CALLBACK, serial, index=index, channel=SMS, attempt=1)


async def status_of(site: Site, serial: str, index: int = 0) -> tuple[DeliveryStatus, str]:
    records = await site.records(serial, index)
    return next((found.status, found.code) for found in records if found.channel is SMS)


@pytest.mark.parametrize("order", list(permutations(["queued", "sent", "delivered", "sent"]))[::3])
async def test_statuses_in_any_order_end_as_delivered(site: Site, order: tuple[str, ...]) -> None:
    serial = await sent(site)
    for status in order:
        answer = await site.twilio(callback(site, serial), {"MessageStatus": status})
        assert (answer.status_code, answer.content) == (204, b"")
    assert await status_of(site, serial) == (DeliveryStatus.DELIVERED, "")
    assert await status_of(site, serial, 1) == (DeliveryStatus.SENT, "")


async def test_a_failure_is_recorded_with_its_code(site: Site) -> None:
    serial = await sent(site)
    form = {"MessageStatus": "undelivered", "ErrorCode": "30005", "MessageSid": "SM1"}
    for _ in range(3):
        await site.twilio(callback(site, serial), form)
    assert await status_of(site, serial) == (DeliveryStatus.FAILED, "twilio_30005")
    assert await site.reason(SMS, FIRST_PHONE) is None


async def test_a_suspended_account_stops_the_campaign_and_tries_no_other_channel(
    site: Site,
) -> None:
    serial = await sent_in_order(site)
    form = {"MessageStatus": "failed", "ErrorCode": "30002"}
    for _ in range(2):
        await site.twilio(callback(site, serial), form)

    assert await site.records(serial) == (await only_sms(site, serial),)
    assert await status_of(site, serial) == (DeliveryStatus.FAILED, "twilio_30002")
    snapshot = await site.app.campaigns.snapshot(serial)
    assert snapshot.blocked[Lane.SEND].reason == "twilio_30002"
    assert (await site.app.limiter.breaker("sms")).reason == "twilio_30002"
    assert await site.reason(SMS, FIRST_PHONE) is None


async def test_a_filtered_text_lets_the_channel_rest_and_tries_no_other(site: Site) -> None:
    serial = await sent_in_order(site)
    for index in (0, 1):
        form = {"MessageStatus": "undelivered", "ErrorCode": "30007"}
        await site.twilio(callback(site, serial, index), form)

    assert await site.records(serial) == (await only_sms(site, serial),)
    assert await status_of(site, serial) == (DeliveryStatus.FAILED, "twilio_30007")
    breaker = await site.app.limiter.breaker("sms")
    assert (breaker.failures, breaker.reason) == (2, "twilio_30007")
    assert Lane.SEND not in (await site.app.campaigns.snapshot(serial)).blocked


async def test_a_failure_of_the_person_tries_the_next_channel(site: Site) -> None:
    serial = await sent_in_order(site)
    form = {"MessageStatus": "undelivered", "ErrorCode": "30005"}
    await site.twilio(callback(site, serial), form)
    first, second = await site.records(serial)
    assert (first.channel, first.status) == (SMS, DeliveryStatus.FAILED)
    assert (second.channel, second.status) == (ChannelName.EMAIL, DeliveryStatus.PENDING)


async def test_an_opt_out_that_twilio_knows_of_suppresses_the_number(site: Site) -> None:
    serial = await sent(site)
    form = {"MessageStatus": "failed", "ErrorCode": "21610"}
    await site.twilio(callback(site, serial), form)
    assert await status_of(site, serial) == (DeliveryStatus.FAILED, "twilio_21610")
    assert await site.reason(SMS, FIRST_PHONE) == "twilio_21610"
    await site.twilio("inbound", {"From": FIRST_PHONE, "Body": "START"})
    assert await site.reason(SMS, FIRST_PHONE) is None


@pytest.mark.parametrize(
    "form",
    [{}, {"MessageStatus": "brand_new"}, {"MessageStatus": "accepted"}, {"ErrorCode": "x"}],
)
async def test_what_says_nothing_changes_nothing(site: Site, form: dict[str, str]) -> None:
    serial = await sent(site)
    assert (await site.twilio(callback(site, serial), form)).status_code == 204
    assert await status_of(site, serial) == (DeliveryStatus.SENT, "")


async def test_what_twilio_did_not_sign_is_refused(site: Site) -> None:
    serial = await sent(site)
    token, form = callback(site, serial), {"MessageStatus": "failed", "ErrorCode": "21610"}
    url = f"{PUBLIC}/webhooks/twilio/{token}"
    right = RequestValidator(AUTH_TOKEN)
    wrong = [
        "",
        "é",
        RequestValidator("other").compute_signature(url, form),
        right.compute_signature(url, {**form, "ErrorCode": "30005"}),
        right.compute_signature(url.replace("https", "http"), form),
        right.compute_signature(f"http://{site.address}/webhooks/twilio/{token}", form),
    ]
    for signature in wrong:
        for path in (token, "inbound"):
            answer = await site.twilio(path, form, signature=signature.encode())
            assert answer.status_code == 403
            assert "X-Twilio-Signature" in answer.text
    assert await status_of(site, serial) == (DeliveryStatus.SENT, "")


async def test_the_signature_covers_the_query_and_repeated_fields(site: Site) -> None:
    serial = await sent(site)
    path = f"/webhooks/twilio/{callback(site, serial)}?a=%20b"
    form = {"MessageStatus": "delivered", "MediaUrl": ["b", "a", "ü €"], "Empty": ""}
    # As Twilio documents it: the address, then each name with its values, sorted.
    text = f"{PUBLIC}{path}EmptyMediaUrlaMediaUrlbMediaUrlü €MessageStatusdelivered"
    signature = RequestValidator(AUTH_TOKEN).compute_signature(text, {})
    headers = {"X-Twilio-Signature": signature}
    answer = await site.client.post(path, data=form, headers=headers)
    assert answer.status_code == 204
    assert await status_of(site, serial) == (DeliveryStatus.DELIVERED, "")


async def test_a_signed_callback_with_a_foreign_token_is_not_found(site: Site) -> None:
    serial = await sent(site)
    token = site.token(Purpose.UNSUBSCRIBE, serial, channel=SMS, attempt=1)
    answer = await site.twilio(token, {"MessageStatus": "delivered"})
    assert answer.status_code == 404


async def test_a_form_that_is_none_is_refused(site: Site) -> None:
    for body in (b"a=\xff", b"&".join(b"a%d=1" % number for number in range(500))):
        answer = await site.client.post("/webhooks/twilio/inbound", content=body)
        assert answer.status_code == 400
        assert answer.text == "The body must be a URL-encoded form in UTF-8.\n"


@pytest.mark.parametrize(
    "form",
    [{"Body": word} for word in ("STOP", "stop", " Stop.\n", "STOPALL", "END", "Quit", "cancel")]
    + [{"Body": "unsubscribe"}, {"Body": "ARRÊT", "OptOutType": "STOP"}],
    ids=lambda form: form["Body"].strip(),
)
async def test_stop_suppresses_the_sender_for_sms(site: Site, form: dict[str, str]) -> None:
    answer = await site.twilio("inbound", {"From": FIRST_PHONE, **form})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.text.endswith("<Response/>\n")
    assert await site.reason(SMS, FIRST_PHONE) == "opt-out"
    assert await site.reason(ChannelName.EMAIL, FIRST_PHONE) is None


@pytest.mark.parametrize("body", ["Please stop sending this", "HELP", "", "yes please", "end it"])
async def test_other_words_change_nothing(site: Site, body: str) -> None:
    assert (await site.twilio("inbound", {"From": FIRST_PHONE, "Body": body})).status_code == 200
    assert await site.app.suppressions.count() == {}


@pytest.mark.parametrize("sender", ["", "12345", "whatsapp:+4930123456000", "TACO"])
async def test_a_sender_that_is_no_number_changes_nothing(site: Site, sender: str) -> None:
    assert (await site.twilio("inbound", {"From": sender, "Body": "STOP"})).status_code == 200
    assert await site.app.suppressions.count() == {}


async def test_start_takes_back_a_stop_and_nothing_else(site: Site) -> None:
    start = {"From": FIRST_PHONE, "Body": "Start"}
    await site.app.suppressions.add(SMS, FIRST_PHONE, "operator")
    await site.twilio("inbound", start)
    assert await site.reason(SMS, FIRST_PHONE) == "operator"
    await site.app.suppressions.remove(SMS, FIRST_PHONE)
    await site.twilio("inbound", {"From": FIRST_PHONE, "Body": "STOP"})
    await site.twilio("inbound", start)
    assert await site.reason(SMS, FIRST_PHONE) is None


async def test_many_callbacks_at_once_are_all_recorded(site: Site) -> None:
    serial = await sent(site)
    form = {"MessageStatus": "delivered"}
    tokens = [callback(site, serial, index) for index in (0, 1)] * 20
    answers = await asyncio.gather(*(site.twilio(token, form) for token in tokens))
    assert {answer.status_code for answer in answers} == {204}
    assert await status_of(site, serial, 1) == (DeliveryStatus.DELIVERED, "")


async def test_without_a_public_address_no_signature_is_accepted(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLAIMCAST_PUBLIC_URL")
    async with open_site() as site:
        answer = await site.twilio("inbound", {"From": FIRST_PHONE, "Body": "STOP"})
        assert answer.status_code == 403
