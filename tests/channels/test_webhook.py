"""Messages to the customer's app: what is posted, and what the answers mean."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from channels.webhook import WebhookChannel, classify_response
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import (
    AbandonedError,
    BlockedError,
    DeliveryError,
    InputError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import ChannelName, Message, Recipient, delivery_key
from tests.channels.app import KEPT, SECRET, App, app, body_of, headers_of
from tests.channels.sms.servers import HANG_UP, SILENCE, Answer, Reply
from tests.support.waiting import PATIENCE, wait_until

LINK = "https://claim.example.com/c/abc"
KEY = delivery_key("camp", "r1", ChannelName.WEBHOOK)
ADA = Recipient(id="r1", name="Ädä")


def campaign(**content: str) -> Campaign:
    return Campaign.model_validate(
        {
            "id": "camp",
            "name": "Camp",
            "reward": {"product_id": "CVS", "value": "10.00"},
            "delivery": {"channels": ["webhook"]},
            "webhook": {"body": "Hello {{ name }}", **content},
        }
    )


def a_message(channel: WebhookChannel, recipient: Recipient = ADA, **content: str) -> Message:
    return channel.composer(campaign(**content)).compose(recipient, LINK, KEY, sent_at=1e9)


def cleared() -> None:
    """Let every message go."""


@asynccontextmanager
async def channel_to(server: App, *, within: float = 240.0) -> AsyncIterator[WebhookChannel]:
    async with aclosing(WebhookChannel(server.target(timeout=within))) as channel:
        yield channel


async def failure(reply: Reply, *, within: float = 240.0) -> DeliveryError:
    async with app(reply) as server, channel_to(server, within=within) as channel:
        error = await failure_once_left(channel, hurried=within < PATIENCE)
        await wait_until(lambda: server.heads)
        assert len(server.heads) == 1
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


async def failure_once_left(channel: WebhookChannel, *, hurried: bool) -> DeliveryError:
    """On a busy machine a short time may be over before it leaves: then it is sent again."""
    left: list[bool] = []
    for _ in range(20):
        with pytest.raises(DeliveryError) as caught:
            await channel.send(a_message(channel), lambda: left.append(True))
        if left:
            return caught.value
        assert hurried, "it had all the time that it needs"
        assert type(caught.value) is BlockedError
        assert caught.value.code == "webhook_unreachable"
    pytest.fail("nothing ever left")


async def test_a_message_is_posted_once_signed_and_under_its_key() -> None:
    async with app() as server, channel_to(server) as channel:
        await channel.send(a_message(channel, title="For {{ name }}"), cleared)

    [raw] = server.raw
    headers = headers_of(raw)
    assert raw.startswith(b"POST /hooks/very-secret/ HTTP/1.1\r\n")
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == headers["idempotency-key"] == KEY
    assert b": " not in body_of(raw)
    assert Webhook(SECRET).verify(body_of(raw), dict(headers)) == {
        "type": "claimcast.message",
        "campaign": "camp",
        "recipient": "r1",
        "title": "For Ädä",
        "body": "Hello Ädä",
        "link": LINK,
    }


async def test_without_a_title_there_is_none() -> None:
    async with app() as server, channel_to(server) as channel:
        assert json.loads(a_message(channel).content)["title"] is None


def test_a_campaign_without_the_section_cannot_be_composed() -> None:
    channel = WebhookChannel(App().target())
    with pytest.raises(InputError, match=r"no \[webhook\] section"):
        channel.composer(campaign().model_copy(update={"webhook": None}))


async def test_a_repetition_carries_the_same_id_and_content_and_uses_the_connection_again() -> (
    None
):
    async with app() as server, channel_to(server) as channel:
        for _ in range(3):
            await channel.send(a_message(channel), cleared)

    assert len({headers_of(raw)["webhook-id"] for raw in server.raw}) == 1
    assert len({body_of(raw) for raw in server.raw}) == 1
    assert (len(server.raw), server.sessions) == (3, 1)


async def test_a_long_answer_to_a_message_that_was_taken_changes_nothing() -> None:
    async with app(Answer(200, b"x" * 5_000_000)) as server, channel_to(server) as channel:
        for _ in range(2):
            await channel.send(a_message(channel), cleared)

    assert len(server.raw) == 2
    assert server.sessions == 2, "it was read to its end"


@pytest.mark.parametrize("status", [429, 408, 500, 502, 503, 504])
async def test_what_the_app_cannot_take_now_is_tried_again_when_it_says(status: int) -> None:
    error = await failure(Answer(status, headers={"Retry-After": "7"}))
    assert isinstance(error, TransientError)
    assert (error.code, error.retry_after) == (f"webhook_{status}", 7)


async def test_without_a_wait_the_retry_policy_decides() -> None:
    error = await failure(Answer(503))
    assert isinstance(error, TransientError)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("status", "fatal"),
    [(401, True), (403, True), (410, True), (404, False), (405, False), (302, False)],
)
async def test_a_wrong_address_or_secret_is_never_the_recipients_fault(
    status: int, *, fatal: bool
) -> None:
    error = await failure(Answer(status, headers={"Location": "http://localhost:1/"}))
    assert isinstance(error, BlockedError)
    assert (error.code, error.fatal) == (f"webhook_{status}", fatal)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_what_the_app_refuses_is_permanent(status: int) -> None:
    error = await failure(Answer(status, {"echo": LINK}))
    assert isinstance(error, PermanentError)
    assert str(error) == f"webhook_{status}"


@pytest.mark.parametrize(
    ("reply", "code", "within"),
    [(HANG_UP, "webhook_reset", 240.0), (SILENCE, "webhook_timeout", 0.3)],
)
async def test_an_answer_that_is_lost_is_uncertain(reply: Reply, code: str, within: float) -> None:
    error = await failure(reply, within=within)
    assert isinstance(error, UncertainError)
    assert str(error) == code


async def test_an_answer_that_only_ever_begins_is_waited_for_no_longer_than_another() -> None:
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for _ in range(40):
                writer.write(b"HTTP/1.1 102 X\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
            writer.write(KEPT.to_bytes())
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    target = App(port=server.sockets[0].getsockname()[1]).target(timeout=0.3)
    async with server, aclosing(WebhookChannel(target)) as channel:
        error = await failure_once_left(channel, hurried=True)
        assert isinstance(error, UncertainError)
        assert str(error) == "webhook_timeout"
        await channel.aclose()
        await ended.wait()


async def test_an_answer_that_is_no_http_is_uncertain() -> None:
    class Gibberish(Answer):
        def to_bytes(self) -> bytes:
            return b"220 mail.example.com ESMTP\r\n\r\n"

    error = await failure(Gibberish())
    assert isinstance(error, UncertainError)
    assert str(error) == "webhook_bad_answer"


async def test_a_certificate_of_nobody_we_know_stops_the_message() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    async with app(tls=tls) as server, channel_to(server) as channel:
        with pytest.raises(BlockedError, match="webhook_unreachable"):
            await channel.send(a_message(channel), cleared)
        assert server.heads == []


async def test_send_guard_is_asked_over_the_open_connection_before_anything_is_written() -> None:
    sessions: list[int] = []
    async with app() as server, channel_to(server) as channel:

        def refused() -> None:
            sessions.append(server.sessions)
            code = "lease_lost"
            raise AbandonedError(code)

        await channel.send(a_message(channel), cleared)
        with pytest.raises(AbandonedError):
            await channel.send(a_message(channel), refused)

    assert sessions == [1]
    assert len(server.heads) == 1


async def test_an_error_of_the_send_guard_passes_through_whatever_its_kind() -> None:
    broken = OSError("not of the network")

    def refused() -> None:
        raise broken

    async with app() as server, channel_to(server) as channel:
        with pytest.raises(OSError, match="not of the network") as caught:
            await channel.send(a_message(channel), refused)
    assert caught.value is broken
    assert server.heads == []


async def test_closing_while_an_answer_is_awaited_is_uncertain() -> None:
    async with app(SILENCE) as server, channel_to(server) as channel:
        sending = asyncio.create_task(channel.send(a_message(channel), cleared))
        await server.asked.wait()
        await channel.aclose()
        with pytest.raises(UncertainError):
            await sending


async def test_check_posts_nothing_and_shows_no_more_than_the_place() -> None:
    async with app() as server, channel_to(server) as channel:
        said = await channel.check()

    assert said.startswith(f"http://localhost:{server.port} answers")
    assert "very-secret" not in said
    assert [head.split(b" ")[0] for head in server.heads] == [b"HEAD"]


async def test_the_log_holds_neither_link_nor_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with app() as server, channel_to(server) as channel:
        await channel.send(a_message(channel), cleared)

    signature = headers_of(server.raw[0])["webhook-signature"]
    assert LINK not in caplog.text
    assert signature not in caplog.text
    assert SECRET not in repr(server.target())


@given(st.integers(200, 999), st.text(max_size=40))
def test_every_status_has_one_meaning_whatever_the_wait_it_asks_for(
    status: int, wait: str
) -> None:
    error = classify_response(status, {"Retry-After": wait})
    assert (error is None) == (200 <= status < 300)
    if isinstance(error, TransientError):
        assert error.retry_after is None or 0 <= error.retry_after <= 3600
    if error is not None:
        assert error.code == f"webhook_{status}"


def test_the_ordinary_answer_is_a_success() -> None:
    assert classify_response(KEPT.status, KEPT.headers) is None
