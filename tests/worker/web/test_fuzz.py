"""Whatever is posted, even with a token or a signature: never a 500, nor a word too much."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # no py.typed

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.models import ChannelName
from tests.pipeline.callbacks.notifications import block, notification
from tests.worker.web.site import AUTH_TOKEN, PUBLIC, Site
from worker.web.bounces import bounce_path

# The site is the same for all examples: what one has left behind must not break the next.
fuzzed = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

PEOPLE = ("p0@example.com", "+4930123456000")
WORDS = st.sampled_from(
    [
        *("delivered", "undelivered", "failed", "sent", "queued", "canceled", "read", ""),
        *("STOP", "start", "Stop.", "+4930123456000", "30003", "21610", "63038", "0", "9" * 30),
        *("SM0", "\0", "\ud7ff", "%", "&", "=", "a" * 2000, "<script>", "https://claim.example/x"),
    ]
)
FIELDS = st.sampled_from(
    [
        *("MessageStatus", "ErrorCode", "MessageSid", "From", "To", "Body", "OptOutType"),
        *("AccountSid", "ApiVersion", "SmsStatus", ""),
    ]
)
FORMS = st.dictionaries(FIELDS | st.text(max_size=5), WORDS | st.text(max_size=20), max_size=8)
BODIES = st.binary(max_size=300) | FORMS.map(lambda form: urlencode(form).encode())
HEADERS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30).map(
    str.strip  # the client refuses to send blanks at either end
)
TYPES = (
    st.sampled_from(
        [
            *("", "application/x-www-form-urlencoded", "application/json", "message/rfc822"),
            *("multipart/form-data; boundary=b", "multipart/form-data", "text/plain; charset=x"),
        ]
    )
    | HEADERS
)
CHANGES = st.lists(st.tuples(st.integers(0, 60), st.characters(codec="utf-8")), max_size=3)


def changed(text: str, changes: list[tuple[int, str]]) -> str:
    """Return *text* with characters replaced, and cut off where one is a NUL."""
    letters = list(text)
    for place, letter in changes:
        if letter == "\0":
            del letters[place:]
        letters[place : place + 1] = letter
    return "".join(letters)


async def post(site: Site, path: str, body: bytes, **headers: str) -> httpx.Response:
    """Post *body*; check what holds for every answer and every line of the log."""
    with capture_logs() as logs:
        answer = await site.client.post(path, content=body, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.headers.get("content-type", "").startswith("text/plain"):
        assert len(answer.text.splitlines()) == 1
    assert_discreet(answer.text)
    assert_discreet(repr(logs))
    return answer


def assert_discreet(text: str) -> None:
    assert "Traceback" not in text
    assert "claim.example/" not in text
    for secret in (*PEOPLE, AUTH_TOKEN):
        assert secret not in text


async def a_token(site: Site, purpose: Purpose, channel: ChannelName = ChannelName.EMAIL) -> str:
    serial = await site.installation.submitted()
    await site.installation.fulfilled(serial)
    return site.token(purpose, serial, channel=channel, attempt=1)


def signed(path: str, body: bytes) -> str:
    """Return the signature that Twilio would give a body, if it can be read as a form."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
    except ValueError:
        pairs = []
    form: dict[str, Any] = dict(pairs)
    return str(RequestValidator(AUTH_TOKEN).compute_signature(f"{PUBLIC}{path}", form))


@pytest.fixture
async def callback(site: Site) -> str:
    return await a_token(site, Purpose.CALLBACK, ChannelName.SMS)


@fuzzed
@given(body=BODIES, kind=TYPES)
async def test_twilio_may_say_anything_of_a_message(
    site: Site, callback: str, body: bytes, kind: str
) -> None:
    path = f"/webhooks/twilio/{callback}"
    headers = {"x-twilio-signature": signed(path, body), "content-type": kind}
    answer = await post(site, path, body, **headers)
    assert answer.status_code in {204, 400, 403}


@fuzzed
@given(body=BODIES)
async def test_anybody_may_write_anything_to_our_number(site: Site, body: bytes) -> None:
    path = "/webhooks/twilio/inbound"
    answer = await post(site, path, body, **{"x-twilio-signature": signed(path, body)})
    assert answer.status_code in {200, 400, 403}


@fuzzed
@given(body=BODIES, signature=HEADERS)
async def test_without_the_right_signature_nothing_is_taken(
    site: Site, callback: str, body: bytes, signature: str
) -> None:
    path = f"/webhooks/twilio/{callback}"
    answer = await post(site, path, body, **{"x-twilio-signature": signature})
    assert answer.status_code in {400, 403}


@pytest.fixture
async def fulfilment(site: Site) -> str:
    return await a_token(site, Purpose.FULFILMENT)


@fuzzed
@example(body=b"", kind="", changes=[(39, "/")])
@given(body=st.binary(max_size=300), kind=TYPES, changes=CHANGES)
async def test_the_fulfilment_webhook_believes_its_token_and_nothing_else(
    site: Site, fulfilment: str, body: bytes, kind: str, changes: list[tuple[int, str]]
) -> None:
    token = changed(fulfilment, changes)
    path = f"/webhooks/fulfillment/{quote(token, safe='')}"
    answer = await post(site, path, body, **{"content-type": kind})
    expected = {204} if token.upper() == fulfilment.upper() else {204, 404, 405}
    assert answer.status_code in expected


@pytest.fixture
async def page(site: Site) -> str:
    return await a_token(site, Purpose.UNSUBSCRIBE)


@fuzzed
@given(body=BODIES, kind=TYPES, changes=CHANGES)
async def test_unsubscribing_takes_its_field_and_a_token_of_ours(
    site: Site, page: str, body: bytes, kind: str, changes: list[tuple[int, str]]
) -> None:
    token = changed(page, changes)
    path = f"/unsubscribe/{quote(token, safe='')}"
    answer = await post(site, path, body, **{"content-type": kind})
    assert answer.status_code in {200, 400, 404, 405, 413}
    shown = await site.client.get(path)
    assert shown.status_code in {200, 404}


@pytest.fixture
async def verp(site: Site) -> str:
    return await a_token(site, Purpose.BOUNCE)


BLOCKS = st.builds(
    block,
    st.none() | st.sampled_from(["failed", "delayed", "delivered", "relayed", "FAILED ()", "x"]),
    st.none() | st.sampled_from(["5.1.1", "4.4.1", "2.0.0", "5.7.26", "5", "9.9.9", "\0"]),
    st.just("") | st.just("550 <p0@example.com> https://claim.example/x") | st.text(max_size=30),
)
PIECES = st.sampled_from(
    [
        *(b"\r\n", b"\n\n", b"--", b"--4Xb.1732300000/mx.example.com", b"\0", b"\xff", b'"', b";"),
        *(b"Content-Type: ", b"Content-Transfer-Encoding: base64\n", b"Action: failed\n"),
        *(b"boundary=", b"message/delivery-status", b"=?utf-8?q?=", b"Status: 5.1.1\n"),
    ]
)
SPLICES = st.lists(
    st.tuples(st.integers(0, 1500), st.integers(0, 40), PIECES | st.binary(max_size=6)),
    max_size=5,
)


@fuzzed
@given(blocks=st.lists(BLOCKS, max_size=3), splices=SPLICES)
async def test_any_notification_about_one_of_our_messages_is_taken_or_ignored(
    site: Site, verp: str, blocks: list[str], splices: list[tuple[int, int, bytes]]
) -> None:
    raw = bytearray(notification(f"<bounces+{verp}@example.com>", blocks))
    for place, length, piece in splices:
        raw[place : place + length] = piece
    answer = await post(site, bounce_path(site.app.tokens), bytes(raw))
    assert answer.status_code == 202
