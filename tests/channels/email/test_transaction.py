"""What leaves and what is believed, reply by reply: a server of octets, without a network."""

import asyncio
from collections.abc import Sequence

import pytest

from channels.email.replies import SmtpPhase
from channels.email.transaction import LineLostError, StaleConnectionError, Transaction
from channels.email.wire import Wire
from pipeline.domain.errors import AbandonedError, BackpressureError
from pipeline.domain.models import DeliveryKey, Message

COMMANDS = (b"MAIL\r\n", b"RCPT\r\n", b"DATA\r\n")
ENVELOPE = b"".join(COMMANDS)
CONTENT = b"the content\r\n.\r\n"
MESSAGE = Message(key=DeliveryKey("k"), to="a@example.com", content=b"the content\r\n")


class Line(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))


class RecordingSession:
    """A session of one transaction over one line; `next` is pipelined behind it."""

    def __init__(self, *, pipelining: bool = True, next_: Transaction | None = None) -> None:
        self.line = Line()
        self.wire = Wire(self.line)
        self.pipelining = pipelining
        self.asked = 0
        self.room: asyncio.Future[None] | None = None
        self.next = next_
        self.phases: list[SmtpPhase] = []
        self.transaction = Transaction(MESSAGE, self.send_guard)
        self.transaction.start(self, COMMANDS)

    def entered(self, phase: SmtpPhase) -> None:
        self.phases.append(phase)

    def next_transaction(self) -> Transaction | None:
        found, self.next = self.next, None
        if found is not None:
            found.bind(self, COMMANDS)
        return found

    def send_guard(self) -> None:
        self.asked += 1
        if self.room is not None:
            raise BackpressureError(self.room)

    def receive(self, *replies: str) -> None:
        self.wire.data_received("".join(f"{reply}\r\n" for reply in replies).encode())

    async def outcome(self) -> tuple[str, int, str]:
        return await asyncio.wait_for(self.transaction.answer, 60)


async def test_the_commands_leave_together_and_the_content_after_the_go_ahead() -> None:
    session = RecordingSession()
    assert session.line.written == [ENVELOPE]
    session.receive("250 ok", "250 ok")
    assert session.asked == 0
    session.receive("354 go on")
    assert session.line.written[1:] == [CONTENT]
    session.receive("250 queued")
    assert (await session.outcome(), session.asked) == (("content", 250, "queued"), 1)
    assert session.wire.clear


async def test_a_server_that_wants_content_for_nobody_is_given_none() -> None:
    session = RecordingSession()
    session.receive("250 ok", "550 5.1.1 nobody", "354 go on")
    assert session.line.written[1:] == [b".\r\n"]
    assert session.asked == 0
    session.receive("554 no valid recipients")
    assert await session.outcome() == ("rcpt", 550, "5.1.1 nobody")


async def test_a_refusal_is_known_although_the_line_breaks_after_it() -> None:
    session = RecordingSession()
    session.receive("250 ok", "550 5.1.1 nobody")
    session.wire.connection_lost(None)
    assert await session.outcome() == ("rcpt", 550, "5.1.1 nobody")


@pytest.mark.parametrize("replies", [["250 ok", "250 ok"], []])
async def test_after_a_cancellation_nothing_more_leaves(replies: Sequence[str]) -> None:
    session = RecordingSession()
    session.receive(*replies)
    session.transaction.answer.cancel()
    session.receive(*["250 ok"] * (2 - len(replies)), "354 go on", "250 queued")
    assert session.line.written == [ENVELOPE]
    assert session.asked == 0


@pytest.mark.parametrize(
    ("replies", "phase"), [([], "mail"), (["250 ok"], "rcpt"), (["250 ok"] * 2, "data")]
)
async def test_a_server_that_says_farewell_is_waited_for_no_longer(
    replies: Sequence[str], phase: str
) -> None:
    session = RecordingSession()
    session.receive(*replies, "421 4.3.2 closing")
    assert await session.outcome() == (phase, 421, "4.3.2 closing")
    assert session.line.written == [ENVELOPE]


async def test_a_reply_that_nobody_waited_for_spoils_the_line() -> None:
    session = RecordingSession()
    session.receive("250 ok", "250 ok", "354 go on", "250 queued", "250 and what is this")
    assert await session.outcome() == ("content", 250, "queued")
    assert not session.wire.clear

    second = Transaction(MESSAGE, session.send_guard)
    second.start(session, COMMANDS)
    with pytest.raises(LineLostError):
        await second.answer


@pytest.mark.parametrize("noise", [b"x" * 40_000, b"hello\r\n", b"2x0 ok\r\n", b"\r\n"])
async def test_what_is_no_reply_ends_the_transaction(noise: bytes) -> None:
    session = RecordingSession()
    session.receive("250 ok")
    session.wire.data_received(noise)
    with pytest.raises(LineLostError) as caught:
        await session.outcome()
    assert caught.value.phase == "rcpt"
    session.receive("250 ok", "354 go on")
    assert session.line.written == [ENVELOPE], "nothing leaves after nonsense"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_replies_may_come_in_any_pieces_and_have_many_lines(size: int) -> None:
    session = RecordingSession(pipelining=False)
    said = "".join(f"{reply}\r\n" for reply in ("250-one", "250 two", "250 ok", "354 go"))
    for phases in range(0, len(said), size):
        session.wire.data_received(said[phases : phases + size].encode())
    session.receive("250-queued", "250 as 1")
    assert session.line.written == [*COMMANDS, CONTENT]
    assert await session.outcome() == ("content", 250, "queued\nas 1")


GO_AHEAD = ["250 ok", "250 ok", "354 go on"]


def pipelined() -> tuple[RecordingSession, Transaction]:
    """Return a session whose content has left, and the transaction pipelined behind it."""
    next_transaction = Transaction(MESSAGE, lambda: None)
    session = RecordingSession(next_=next_transaction)
    session.receive(*GO_AHEAD)
    assert session.line.written == [ENVELOPE, CONTENT + ENVELOPE]
    return session, next_transaction


@pytest.mark.parametrize("answer", ["250 queued", "550 5.1.1 nobody", "451 later"])
async def test_the_next_envelope_is_pipelined_behind_the_content(answer: str) -> None:
    session, next_transaction = pipelined()
    assert session.phases == ["mail", "rcpt", "data", "content"]
    session.receive(answer, *GO_AHEAD)
    assert (await session.outcome())[1] == int(answer[:3])
    assert session.line.written[2:] == [CONTENT], "that of the next, after its own go-ahead"
    assert session.phases[4:] == ["mail", "rcpt", "data", "content"], "its time begins here"
    session.receive("250 queued too")
    assert await next_transaction.answer == ("content", 250, "queued too")
    assert session.wire.clear


@pytest.mark.parametrize("answer", ["421 closing", "354 what", "120 well", "nonsense"])
async def test_the_next_transaction_does_not_begin_where_replies_are_unclear(answer: str) -> None:
    session, next_transaction = pipelined()
    session.receive(answer, *GO_AHEAD)
    with pytest.raises(StaleConnectionError):
        await next_transaction.answer
    assert len(session.line.written) == 2
    if answer == "nonsense":
        with pytest.raises(LineLostError):
            await session.outcome()


async def test_without_pipelining_no_next_transaction_is_bound() -> None:
    session = RecordingSession(pipelining=False, next_=Transaction(MESSAGE, lambda: None))
    session.receive(*GO_AHEAD)
    assert session.line.written == [*COMMANDS, CONTENT]
    assert session.transaction.next_transaction is None


async def test_a_lost_line_puts_the_content_in_doubt_and_not_the_next_transaction() -> None:
    session, next_transaction = pipelined()
    session.wire.connection_lost(None)
    with pytest.raises(LineLostError) as caught:
        await session.outcome()
    assert caught.value.phase == "content"
    with pytest.raises(StaleConnectionError):
        await next_transaction.answer


async def test_a_next_transaction_that_is_cancelled_starts_nothing() -> None:
    session, next_transaction = pipelined()
    next_transaction.answer.cancel()
    session.next = Transaction(MESSAGE, lambda: None)
    session.receive("250 queued", *GO_AHEAD)
    assert await session.outcome() == ("content", 250, "queued")
    assert len(session.line.written) == 2
    assert session.next is not None


async def waiting_for_room() -> tuple[RecordingSession, asyncio.Future[None]]:
    """Return a session that has the go-ahead and waits, as too much is unrecorded."""
    session = RecordingSession()
    session.room = room = asyncio.get_running_loop().create_future()
    session.receive(*GO_AHEAD)
    assert (session.asked, session.line.written) == (1, [ENVELOPE])
    return session, room


async def test_content_waits_while_too_much_is_unrecorded() -> None:
    session, room = await waiting_for_room()
    assert session.phases[-1] == "data", "nothing has left: a lost line is no doubt"
    session.room = None
    room.set_result(None)
    await asyncio.sleep(0)
    assert (session.asked, session.line.written) == (2, [ENVELOPE, CONTENT])
    session.receive("250 queued")
    assert await session.outcome() == ("content", 250, "queued")


@pytest.mark.parametrize("end", ["cancelled", "lost", "spoken to"])
async def test_what_ends_while_it_waits_is_not_sent(end: str) -> None:
    session, room = await waiting_for_room()
    if end == "cancelled":
        session.transaction.answer.cancel()
    elif end == "lost":
        session.wire.connection_lost(None)
    else:
        session.receive("354 go on")
    session.room = None
    room.set_result(None)
    await asyncio.sleep(0)
    assert (session.asked, session.line.written) == (1, [ENVELOPE])
    if end != "cancelled":
        # Our ledger was too slow for the server, which is no fault of the recipient.
        with pytest.raises(AbandonedError, match="crowded"):
            await session.outcome()


async def test_room_that_comes_when_the_line_is_closing_is_not_used() -> None:
    session, room = await waiting_for_room()
    session.line.closed = True
    session.room = None
    room.set_result(None)
    await asyncio.sleep(0)
    assert session.asked == 1, "what nothing can leave of must not count as sent"
    session.wire.connection_lost(None)
    with pytest.raises(AbandonedError, match="crowded"):
        await session.outcome()
