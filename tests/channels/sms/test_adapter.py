"""What leaves for Twilio, and what each way it can end means, over real sockets."""

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
import trustme

from channels.sms import SmsChannel
from pipeline.domain.errors import (
    AbandonedError,
    BlockedError,
    DeliveryError,
    InputError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import DeliveryKey, Message, Receipt
from tests.channels.sms.servers import (
    HANG_UP,
    SID,
    SILENCE,
    Answer,
    Script,
    Twilio,
    a_record,
    an_error,
    deaf_port,
    on_get,
    on_post,
    twilio,
)
from tests.support.waiting import wait_until

LINK = "https://claim.example.com/c/abc"


def a_message(**changes: object) -> Message:
    values: dict[str, object] = {
        "key": DeliveryKey("k"),
        "to": "+4915112345678",
        "content": f"Für Zoë 礼物 & 100%: {LINK}".encode(),
        "link": LINK,
        **changes,
    }
    return Message(**values)  # type: ignore[arg-type]  # a test's keywords


def cleared() -> None:
    """Let every message go."""


@asynccontextmanager
async def talking(
    script: Script = lambda request: None, **changes: object
) -> AsyncIterator[tuple[SmsChannel, Twilio]]:
    async with twilio(script) as server:
        channel = SmsChannel(server.account(**changes))
        async with aclosing(channel):
            yield channel, server


async def failure_of(script: Script, **changes: object) -> DeliveryError:
    """Return how a message failed that left; only one request may have been made."""
    async with talking(script, **changes) as (channel, server):
        error = await failure_once_left(channel, hurried="timeout" in changes)
        await wait_until(lambda: server.requests)
        assert len(server.requests) == 1
    return error


async def failure_once_left(channel: SmsChannel, *, hurried: bool) -> DeliveryError:
    """On a busy machine a short time may be over before it leaves: then it is sent again."""
    left: list[bool] = []
    for _ in range(20):
        with pytest.raises(DeliveryError) as caught:
            await channel.send(a_message(), lambda: left.append(True))
        if left:
            return caught.value
        assert hurried, "it had all the time that it needs"
        assert type(caught.value) is BlockedError
        assert caught.value.code == "twilio_unreachable"
    pytest.fail("nothing ever left")


async def test_request_is_what_twilio_documents() -> None:
    async with talking() as (channel, server):
        callback = "https://claims.example.com/webhooks/twilio/token"
        receipt = await channel.send(a_message(callback=callback), cleared)

    [request] = server.requests
    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.form == {
        "To": "+4915112345678",
        "From": "+15005550006",
        "Body": f"Für Zoë 礼物 & 100%: {LINK}",
        "StatusCallback": callback,
        "ValidityPeriod": "14400",
    }
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    scheme, _, login = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(login)) == ("Basic", f"{SID}:very-secret".encode())
    assert receipt.reference == "SM00000000000000000000000000000001"


async def test_messaging_service_takes_the_place_of_a_number() -> None:
    service = "MG00000000000000000000000000000000"
    async with talking(messaging_service_sid=service, from_number=None) as (channel, server):
        await channel.send(a_message(), cleared)

    [request] = server.requests
    assert request.form["MessagingServiceSid"] == service
    assert "From" not in request.form
    assert "StatusCallback" not in request.form


@pytest.mark.parametrize(
    "sender",
    [
        {"from_number": None},
        {"messaging_service_sid": "MG1"},
        {"from_number": "", "messaging_service_sid": ""},
    ],
)
def test_account_without_exactly_one_sender_is_refused(sender: dict[str, object]) -> None:
    with pytest.raises(InputError, match="CLAIMCAST_TWILIO__FROM_NUMBER"):
        Twilio().account(**sender)


def test_account_keeps_its_token_to_itself() -> None:
    assert "very-secret" not in repr(Twilio().account())


async def test_host_is_ours_to_choose_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    async with talking() as (channel, server):
        await channel.send(a_message(), cleared)

    assert len(server.requests) == 1


async def test_connections_are_kept_and_never_more_than_allowed() -> None:
    async with talking(connections=3) as (channel, server):
        await asyncio.gather(*(channel.send(a_message(), cleared) for _ in range(30)))

    assert len(server.requests) == 30
    assert server.sessions <= 3


async def test_send_guard_is_asked_over_the_open_connection_before_anything_leaves() -> None:
    seen: list[tuple[int, int]] = []
    async with talking(connections=1) as (channel, server):

        def send_guard() -> None:
            seen.append((server.sessions, len(server.requests)))

        await channel.send(a_message(), cleared)
        await channel.send(a_message(), send_guard)

    assert seen == [(1, 1)]


async def test_refused_send_guard_leaves_nothing_on_the_wire() -> None:
    def refused() -> None:
        raise AbandonedError("lease_lost")

    async with talking() as (channel, server):
        with pytest.raises(AbandonedError):
            await channel.send(a_message(), refused)
        await channel.send(a_message(), cleared)

        assert len(server.requests) == 1


async def test_send_guard_is_not_asked_while_there_is_no_connection() -> None:
    asked: list[bool] = []
    with deaf_port() as port:
        channel = SmsChannel(Twilio(port=port).account())
        with pytest.raises(BlockedError):
            await channel.send(a_message(), lambda: asked.append(True))
        await channel.aclose()

    assert asked == []


@pytest.mark.parametrize("reply", [HANG_UP, an_error(20500, 500), an_error(20503, 503)])
async def test_answer_that_does_not_say_is_uncertain_and_not_repeated(
    reply: Answer | str,
) -> None:
    assert isinstance(await failure_of(on_post(reply)), UncertainError)


async def test_reused_connection_that_breaks_is_uncertain_and_not_repeated() -> None:
    replies: list[Answer | str | None] = [None, HANG_UP]
    async with talking(lambda request: replies.pop(0), connections=1) as (channel, server):
        await channel.send(a_message(), cleared)
        with pytest.raises(UncertainError) as caught:
            await channel.send(a_message(), cleared)

        assert caught.value.code == "twilio_reset"
        assert (len(server.requests), server.sessions) == (2, 1)


async def test_silence_after_the_request_is_uncertain() -> None:
    error = await failure_of(on_post(SILENCE), timeout=0.2)

    assert isinstance(error, UncertainError)
    assert error.code == "twilio_timeout"


async def test_waiting_for_a_connection_does_not_use_up_the_time_for_an_answer() -> None:
    kinds: list[type] = []
    for seconds in (0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2):  # enough, on a busy machine too
        if kinds == [UncertainError, UncertainError, Receipt]:
            break
        kinds = await two_lost_and_one_answered(seconds)
    assert kinds == [UncertainError, UncertainError, Receipt]


async def two_lost_and_one_answered(seconds: float) -> list[type]:
    """Let three messages wait for one connection; the last one waits twice as long as it may."""
    replies = [SILENCE, SILENCE, None]
    async with talking(lambda _: replies.pop(0), connections=1, timeout=seconds) as (channel, _):
        sends = [channel.send(a_message(), cleared) for _ in range(3)]
        return [type(end) for end in await asyncio.gather(*sends, return_exceptions=True)]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(201, b"<html>"),
        Answer(201, b""),
        Answer(201, b"\xff\xfe"),
        Answer(201, []),
        Answer(200, {"status": "queued"}),
        Answer(201, a_record(), {"Content-Encoding": "gzip"}),
    ],
)
async def test_success_that_cannot_be_read_is_uncertain(answer: Answer) -> None:
    assert isinstance(await failure_of(on_post(answer)), UncertainError)


async def test_cut_answer_is_uncertain() -> None:
    cut = Answer(201, b"{", {"Content-Length": "500"})
    async with talking(on_post(cut)) as (channel, server):
        sending = asyncio.create_task(channel.send(a_message(), cleared))
        await wait_until(lambda: server.requests)
        await server.hang_up()
        with pytest.raises(UncertainError):
            await sending


@pytest.mark.parametrize(
    ("answer", "code", "retry_after"),
    [
        (an_error(20429, 429), "twilio_20429", 1.0),
        (an_error(20429, 429, Retry_After="7"), "twilio_20429", 7.0),
        (an_error(20429, 429, Retry_After="99999"), "twilio_20429", 3600.0),
        (an_error(20429, 429, Retry_After="nonsense"), "twilio_20429", 1.0),
        (Answer(429, b"slow down"), "twilio_20429", 1.0),
        (an_error(30001), "twilio_30001", 60.0),
    ],
)
async def test_too_many_requests_were_certainly_not_processed(
    answer: Answer, code: str, retry_after: float
) -> None:
    error = await failure_of(on_post(answer))

    assert isinstance(error, TransientError)
    assert (error.code, error.retry_after) == (code, retry_after)


async def test_refused_number_is_permanent_and_the_words_are_not_twilios() -> None:
    error = await failure_of(on_post(an_error(21211)))

    assert isinstance(error, PermanentError)
    assert (error.code, error.suppress, error.fallback) == ("twilio_21211", False, True)
    assert "555" not in str(error)


async def test_refused_login_is_fatal() -> None:
    error = await failure_of(on_post(an_error(20003, 401)))

    assert isinstance(error, BlockedError)
    assert error.fatal


async def test_redirect_is_not_followed_and_costs_the_recipient_nothing() -> None:
    elsewhere = Answer(307, b"", {"Location": "/elsewhere"})

    assert isinstance(await failure_of(on_post(elsewhere)), BlockedError)


async def test_message_that_is_created_as_failed_has_failed() -> None:
    record = a_record(status="failed", error_code=30006)

    assert isinstance(await failure_of(on_post(Answer(201, record))), PermanentError)


async def test_closed_port_is_certainly_not_sent() -> None:
    with deaf_port() as port:
        channel = SmsChannel(Twilio(port=port).account())
        with pytest.raises(BlockedError) as caught:
            await channel.send(a_message(), cleared)
        await channel.aclose()

    assert caught.value.code == "twilio_unreachable"
    assert not caught.value.fatal


async def test_unknown_host_is_certainly_not_sent() -> None:
    channel = SmsChannel(Twilio().account(base_url="http://twilio.invalid"))
    with pytest.raises(BlockedError) as caught:
        await channel.send(a_message(), cleared)
    await channel.aclose()

    assert caught.value.code == "twilio_unreachable"


async def test_tls_that_never_answers_is_certainly_not_sent() -> None:
    async with twilio() as server:  # speaks no TLS, and waits for the rest of a request
        url = f"https://127.0.0.1:{server.port}"
        channel = SmsChannel(server.account(base_url=url, connect_timeout=0.2))
        with pytest.raises(BlockedError) as caught:
            await channel.send(a_message(), cleared)
        await channel.aclose()

    assert caught.value.code == "twilio_unreachable"
    assert server.requests == []


async def test_certificate_that_is_not_valid_is_fatal_and_nothing_is_sent() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with twilio(tls=context) as server:
        channel = SmsChannel(server.account())
        with pytest.raises(BlockedError) as caught:
            await channel.send(a_message(), cleared)
        await channel.aclose()

    assert (caught.value.code, caught.value.fatal) == ("twilio_certificate", True)
    assert server.requests == []


async def test_cancelled_send_stays_cancelled() -> None:
    async with talking(on_post(SILENCE)) as (channel, server):
        sending = asyncio.create_task(channel.send(a_message(), cleared))
        await wait_until(lambda: server.requests)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_nothing_of_a_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with talking() as (channel, _):
        await channel.send(a_message(), cleared)
        await channel.look_up(a_message(), not_before=1e9)

    assert "very-secret" not in caplog.text
    assert "claim.example" not in caplog.text
    assert "4915112345678" not in caplog.text


async def test_check_says_who_we_are_and_sends_nothing() -> None:
    async with talking() as (channel, server):
        words = await channel.check()

    assert "+15005550006" in words
    assert "very-secret" not in words
    assert server.posts() == []


@pytest.mark.parametrize(
    ("reply", "fatal"),
    [(an_error(20003, 401), True), (an_error(20404, 404), True), (HANG_UP, False)],
)
async def test_check_of_an_account_that_does_not_work_is_blocked(
    reply: Answer | str, *, fatal: bool
) -> None:
    async with talking(on_get(reply)) as (channel, _):
        with pytest.raises(BlockedError) as caught:
            await channel.check()

    assert caught.value.fatal is fatal
