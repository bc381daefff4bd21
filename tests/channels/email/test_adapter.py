"""Against a server that says what each test wants; what it saw is what counts."""

import asyncio
from contextlib import suppress

import pytest

from channels.email import EmailChannel
from pipeline.domain.errors import (
    AbandonedError,
    BackpressureError,
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import DeliveryKey, Message
from tests.channels.email.servers import (
    EHLO,
    EHLO_PIPELINING,
    HANG_UP,
    OK,
    SILENCE,
    MailServer,
    Script,
    always,
    mail_server,
    once,
)
from tests.support.waiting import wait_until

TRANSACTION = ["MAIL", "RCPT", "DATA"]


@pytest.fixture(autouse=True, params=[EHLO, EHLO_PIPELINING], ids=["stepwise", "pipelining"])
def greeting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every rule holds whether or not the server lets commands be sent together."""
    monkeypatch.setitem(OK, "EHLO", request.param)
    return str(request.param)


def a_message(
    to: str = "ada@example.com", content: bytes = b"Subject: x\r\n\r\nhi\r\n"
) -> Message:
    return Message(key=DeliveryKey("k"), to=to, content=content)


def cleared() -> None:
    """Let every message go."""


async def attempts(channel: EmailChannel, count: int) -> list[str]:
    """Send *count* messages one after the other; return the class of each outcome."""
    outcomes = []
    for _ in range(count):
        try:
            await channel.send(a_message(), cleared)
            outcomes.append("sent")
        except DeliveryError as error:
            outcomes.append(type(error).__name__)
    return outcomes


async def failure(script: Script, **changes: object) -> tuple[DeliveryError, MailServer]:
    """Return how sending one message over a new connection fails, and the server."""
    async with mail_server(script) as server:
        channel = EmailChannel(server.settings(**changes))
        with pytest.raises(DeliveryError) as caught:
            await channel.send(a_message(), cleared)
        await channel.aclose()
        return caught.value, server


PATIENCES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
"""Time-outs of a client that gets no answer; one of them is enough for the answers it gets."""


async def test_messages_share_one_connection() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings())

        assert await attempts(channel, 3) == ["sent"] * 3
        await channel.aclose()

    assert server.sessions == 1
    assert server.verbs() == ["EHLO", *TRANSACTION * 3, "QUIT"]
    assert server.commands[1:3] == ["MAIL FROM:<rewards@example.com>", "RCPT TO:<ada@example.com>"]


async def test_never_more_connections_than_allowed() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings(connections=3))

        await asyncio.gather(*(channel.send(a_message(), cleared) for _ in range(30)))
        await channel.aclose()

    assert server.sessions <= 3
    assert len(server.mails) == 30


async def test_content_arrives_with_its_dots_and_its_end() -> None:
    content = b".a\r\n..b\r\n.\r\nc"
    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        await channel.send(a_message(content=content), cleared)
        await channel.send(a_message(content=content + b"\r\n"), cleared)
        await channel.aclose()

    assert server.mails == [b"..a\r\n...b\r\n..\r\nc\r\n.\r\n"] * 2


async def test_receipt_holds_the_servers_words_without_what_is_secret() -> None:
    words = "250 2.0.0 queued as AB12 for ada@example.com https://claim.example.com/x"
    async with mail_server(once("CONTENT", words)) as server:
        channel = EmailChannel(server.settings())
        receipt = await channel.send(a_message(), cleared)
        await channel.aclose()

    assert receipt.reference == "2.0.0 queued as AB12 for [address] [link]"


async def test_connection_is_closed_after_so_many_messages() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings(messages_per_connection=2))
        await attempts(channel, 5)
        await channel.aclose()

    assert server.sessions == 3
    assert server.verbs().count("QUIT") == 3


async def test_idle_connection_is_closed_with_a_farewell() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings(idle_timeout=0.05))
        await attempts(channel, 1)
        await asyncio.wait_for(server.closed.wait(), 60)

        assert server.verbs()[-1] == "QUIT"
        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()

    assert server.sessions == 2


async def test_connection_that_the_server_closed_meanwhile_is_replaced_unseen() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        await attempts(channel, 1)
        server.hang_up()
        await wait_until(server.closed.is_set)

        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()

    assert (server.sessions, len(server.mails)) == (2, 2)


@pytest.mark.parametrize("answer", [HANG_UP, "421 4.4.2 idle for too long"])
@pytest.mark.parametrize("first", ["sent", "PermanentError"])
async def test_reused_connection_that_fails_at_mail_is_replaced_unseen(
    answer: str, first: str
) -> None:
    seen: list[str] = []

    def script(verb: str, line: str) -> str | None:
        seen.append(verb)
        if verb == "MAIL" and seen.count("MAIL") == 2:
            return answer
        refused = first != "sent" and verb == "RCPT" and seen.count("RCPT") == 1
        return "550 5.1.1 nobody" if refused else None

    async with mail_server(script) as server:
        channel = EmailChannel(server.settings())

        assert await attempts(channel, 2) == [first, "sent"]
        await channel.aclose()

    assert server.sessions == 2


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("CONNECT", BlockedError),
        ("EHLO", BlockedError),
        ("MAIL", BlockedError),
        ("RCPT", TransientError),
        ("DATA", TransientError),
        ("CONTENT", UncertainError),
    ],
)
@pytest.mark.parametrize("fault", [HANG_UP, SILENCE, "nonsense"])
async def test_lost_line_is_uncertain_only_once_the_content_left(
    verb: str, expected: type[DeliveryError], fault: str
) -> None:
    error, server = await failure_met(verb, fault, expected)

    assert type(error) is expected
    assert not getattr(error, "fatal", False)
    assert len(server.mails) == (verb == "CONTENT")


async def failure_met(
    verb: str, fault: str, expected: type[DeliveryError]
) -> tuple[DeliveryError, MailServer]:
    """Meet the fault at *verb*: a busy machine may be silent before, like the server."""
    if fault != SILENCE:
        return await failure(always(verb, fault))
    met: list[tuple[DeliveryError, MailServer]] = []
    for seconds in PATIENCES:
        met.append(
            await failure(
                always(verb, fault),
                command_timeout=seconds,
                connect_timeout=seconds,
                reply_timeout=seconds,
            )
        )
        assert_sound(verb, *met[-1])
        if type(met[-1][0]) is expected:
            break
    return met[-1]


def assert_sound(verb: str, error: DeliveryError, server: MailServer) -> None:
    """Check what no busy machine excuses: one attempt in many would send somebody two messages."""
    uncertain = type(error) is UncertainError
    assert uncertain or not server.mails, "the content left"
    assert verb == "CONTENT" or not uncertain, "the content cannot have left"
    assert len(server.mails) <= (verb == "CONTENT")


@pytest.mark.parametrize("code", ["150 wait", "354 more"])
async def test_odd_answer_to_the_content_is_no_answer(code: str) -> None:
    error, _ = await failure(once("CONTENT", code))

    assert type(error) is UncertainError


@pytest.mark.parametrize(
    ("verb", "answer", "expected"),
    [
        ("MAIL", "550 5.7.1 not you", BlockedError),
        ("RCPT", "550 5.1.1 nobody", PermanentError),
        ("RCPT", "450 4.7.1 greylisted", TransientError),
        ("DATA", "451 4.4.2 later", TransientError),
        ("CONTENT", "554 5.6.0 bad", PermanentError),
    ],
)
async def test_refusal_leaves_the_connection_ready_for_the_next_message(
    verb: str, answer: str, expected: type[DeliveryError]
) -> None:
    async with mail_server(once(verb, answer)) as server:
        channel = EmailChannel(server.settings())

        assert await attempts(channel, 2) == [expected.__name__, "sent"]
        await channel.aclose()

    assert server.sessions == 1
    assert server.verbs().count("RSET") == 1
    at = server.verbs().index("RSET")
    assert server.verbs()[at + 1 :] == [*TRANSACTION, "QUIT"]


@pytest.mark.parametrize("answer", [HANG_UP, "502 no such thing"])
async def test_connection_that_cannot_be_reset_is_discarded(answer: str) -> None:
    refuse, break_off = once("RCPT", "550 5.1.1 nobody"), always("RSET", answer)

    async with mail_server(lambda *asked: refuse(*asked) or break_off(*asked)) as server:
        channel = EmailChannel(server.settings())

        assert await attempts(channel, 2) == ["PermanentError", "sent"]
        await channel.aclose()

    assert server.sessions == 2


async def test_a_server_that_is_silent_about_a_reset_is_not_waited_for_long() -> None:
    outcomes: list[str] = []
    for seconds in PATIENCES:
        if outcomes == ["PermanentError"]:
            break
        outcomes = await refused_and_not_reset(seconds)
    assert outcomes == ["PermanentError"]


async def refused_and_not_reset(seconds: float) -> list[str]:
    refuse, say_nothing = once("CONTENT", "550 5.6.0 bad"), always("RSET", SILENCE)

    async with mail_server(lambda *asked: refuse(*asked) or say_nothing(*asked)) as server:
        channel = EmailChannel(server.settings(command_timeout=seconds))
        found = await asyncio.wait_for(attempts(channel, 1), 60)
        await channel.aclose()
    return found


async def test_silence_on_a_reused_connection_is_the_providers_fault() -> None:
    outcomes, sessions = list[str](), 0
    for seconds in PATIENCES:
        if outcomes[:1] == ["sent"]:
            break
        outcomes, sessions = await silent_the_second_time(seconds)

    assert outcomes == ["sent", "BlockedError"]
    assert sessions == 1, "a message is not tried twice against a server that hangs"


async def silent_the_second_time(seconds: float) -> tuple[list[str], int]:
    answers = [None, SILENCE]

    def script(verb: str, line: str) -> str | None:
        return answers.pop(0) if verb == "MAIL" and answers else None

    async with mail_server(script) as server:
        channel = EmailChannel(server.settings(command_timeout=seconds))
        outcomes = await attempts(channel, 2)
        await channel.aclose()
    return outcomes, server.sessions


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "CONTENT"])
async def test_421_closes_the_connection_and_blames_the_provider(verb: str) -> None:
    async with mail_server(once(verb, "421 4.3.2 closing")) as server:
        channel = EmailChannel(server.settings())
        with pytest.raises(BlockedError, match=r"^smtp_421"):
            await channel.send(a_message(), cleared)

        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()

    assert server.sessions == 2


async def test_refused_send_guard_abandons_the_message_with_nothing_sent() -> None:
    def refused() -> None:
        code = "lease_lost"
        raise AbandonedError(code)

    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        with pytest.raises(AbandonedError, match="lease_lost"):
            await channel.send(a_message(), refused)
        await wait_until(server.closed.is_set)

        assert server.verbs() == ["EHLO", *TRANSACTION]
        assert server.mails == []
        assert b"".join(server.fragments) == b"", "a farewell would be content"
        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()


async def test_a_server_that_loses_patience_with_us_costs_the_recipient_nothing() -> None:
    room = asyncio.get_running_loop().create_future()
    asked = asyncio.Event()

    def crowded() -> None:
        asked.set()
        raise BackpressureError(room)

    async with mail_server() as server:
        channel = EmailChannel(server.settings(connections=1))
        sending = asyncio.create_task(channel.send(a_message(), crowded))
        await asyncio.wait_for(asked.wait(), 60)
        server.hang_up()
        with pytest.raises(AbandonedError, match="crowded"):
            await sending

        assert server.mails == []
        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()


async def test_send_guard_is_asked_once_and_only_after_the_server_is_ready() -> None:
    asked: list[list[str]] = []

    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        await channel.send(a_message(), lambda: asked.append([*server.verbs(), str(server.mails)]))
        await channel.aclose()

    assert asked == [["EHLO", *TRANSACTION, "[]"]]


@pytest.mark.parametrize(("verb", "mails"), [("RCPT", 0), ("DATA", 0), ("CONTENT", 1)])
async def test_cancelled_message_takes_its_connection_along(verb: str, mails: int) -> None:
    async with mail_server(once(verb, SILENCE)) as server:
        channel = EmailChannel(server.settings())
        sending = asyncio.create_task(channel.send(a_message(), cleared))
        await wait_until(
            lambda: server.mails if verb == "CONTENT" else verb in server.verbs(),
        )
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()

    assert (server.sessions, len(server.mails)) == (2, mails + 1)
    assert "QUIT" not in server.verbs()[: server.verbs().index("EHLO", 1)]


async def test_international_address_goes_to_a_server_that_takes_it() -> None:
    async with mail_server(always("EHLO", "250-here\r\n250-8BITMIME\r\n250 SMTPUTF8")) as server:
        channel = EmailChannel(server.settings())
        await channel.send(a_message("用户@xn--fsqu00a.example"), cleared)
        await attempts(channel, 1)
        await channel.aclose()

    assert server.commands[1:3] == [
        "MAIL FROM:<rewards@example.com> BODY=8BITMIME SMTPUTF8",
        "RCPT TO:<用户@xn--fsqu00a.example>",
    ]
    assert "MAIL FROM:<rewards@example.com>" in server.commands


async def test_international_address_is_refused_where_the_server_lacks_smtputf8() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        with pytest.raises(PermanentError, match=r"^smtputf8_unsupported"):
            await channel.send(a_message("用户@xn--fsqu00a.example"), cleared)

        assert await attempts(channel, 1) == ["sent"]
        await channel.aclose()

    assert server.sessions == 1


async def test_address_cannot_break_out_of_its_command() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        for to in ("a@b.example\r\nRSET", "a@b.example> NOTIFY=NEVER", "", "a b@c.example"):
            with pytest.raises(PermanentError, match=r"^bad_address"):
                await channel.send(a_message(to), cleared)
        await channel.aclose()

    assert server.sessions == 0, "no server is bothered with it"


async def test_nothing_is_sent_after_close_and_closing_twice_is_fine() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        await attempts(channel, 1)
        await channel.aclose()
        await channel.aclose()

        assert await attempts(channel, 1) == ["BlockedError"]

    assert len(server.mails) == 1


async def test_message_under_way_when_the_channel_closes_is_finished() -> None:
    async with mail_server() as server:
        channel = EmailChannel(server.settings())
        closing: list[asyncio.Task[None]] = []
        await channel.send(
            a_message(), lambda: closing.append(asyncio.create_task(channel.aclose()))
        )
        await closing[0]
        await wait_until(server.closed.is_set)

        assert len(server.mails) == 1


async def test_server_that_is_down_is_not_the_recipients_fault() -> None:
    async with mail_server() as server:
        settings = server.settings()
    channel = EmailChannel(settings)

    with pytest.raises(BlockedError, match=r"^smtp_connect: ") as caught:
        await channel.send(a_message(), cleared)

    assert not caught.value.fatal
    await channel.aclose()


async def test_host_that_does_not_exist_is_named_as_such() -> None:
    channel = EmailChannel(MailServer(port=25).settings(host="x" * 64 + ".example"))

    with pytest.raises(BlockedError, match=r"^smtp_dns: "):
        await channel.send(a_message(), cleared)

    await channel.aclose()


async def test_waiting_senders_share_the_failure_of_the_first_connection() -> None:
    async with mail_server(always("EHLO", "550 5.7.1 we do not know you")) as server:
        channel = EmailChannel(server.settings(connections=20))
        sends = [channel.send(a_message(), cleared) for _ in range(20)]
        errors = await asyncio.gather(*sends, return_exceptions=True)
        with suppress(BlockedError):
            await channel.send(a_message(), cleared)
        await channel.aclose()

    assert {str(error) for error in errors} == {"smtp_550_5.7.1: ehlo: 5.7.1 we do not know you"}
    assert all(isinstance(error, BlockedError) and error.fatal for error in errors)
    assert server.sessions == 2


async def test_error_text_holds_neither_link_nor_address() -> None:
    echo = "554 5.6.0 <ada@example.com> saw https://claim.example.com/c/9f3k in it"
    error, _ = await failure(once("CONTENT", echo))

    assert str(error) == "smtp_554_5.6.0: content: 5.6.0 [address] saw [link] in it"
