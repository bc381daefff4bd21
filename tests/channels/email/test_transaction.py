"""What leaves and what is believed, reply by reply: a server of octets, without a network."""

import asyncio
from collections.abc import Sequence

import pytest

from channels.email.transaction import LineLostError, Transaction
from channels.email.wire import Wire

COMMANDS = (b"MAIL\r\n", b"RCPT\r\n", b"DATA\r\n")
CONTENT = b"the content\r\n.\r\n"


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


class Talk:
    """One transaction over one line, with commands sent together."""

    def __init__(self, *, pipelining: bool = True) -> None:
        self.line = Line()
        self.wire = Wire(self.line)
        self.asked = 0
        self.transaction = Transaction(
            self.wire, COMMANDS, CONTENT, self.clearance, lambda _: None
        )
        self.transaction.start(pipelining=pipelining)

    def clearance(self) -> None:
        self.asked += 1

    def hear(self, *replies: str) -> None:
        self.wire.data_received("".join(f"{reply}\r\n" for reply in replies).encode())

    async def outcome(self) -> tuple[str, int, str]:
        return await asyncio.wait_for(self.transaction.answer, 1)


async def test_the_commands_leave_together_and_the_content_after_the_go_ahead() -> None:
    talk = Talk()
    assert talk.line.written == [b"".join(COMMANDS)]
    talk.hear("250 ok", "250 ok")
    assert talk.asked == 0
    talk.hear("354 go on")
    assert talk.line.written[1:] == [CONTENT]
    talk.hear("250 queued")
    assert (await talk.outcome(), talk.asked) == (("content", 250, "queued"), 1)
    assert talk.wire.clear


async def test_a_server_that_wants_content_for_nobody_is_given_none() -> None:
    talk = Talk()
    talk.hear("250 ok", "550 5.1.1 nobody", "354 go on")
    assert talk.line.written[1:] == [b".\r\n"]
    assert talk.asked == 0
    talk.hear("554 no valid recipients")
    assert await talk.outcome() == ("rcpt", 550, "5.1.1 nobody")


@pytest.mark.parametrize("heard", [["250 ok", "250 ok"], []])
async def test_after_a_cancellation_nothing_more_leaves(heard: Sequence[str]) -> None:
    talk = Talk()
    talk.hear(*heard)
    talk.transaction.answer.cancel()
    talk.hear(*["250 ok"] * (2 - len(heard)), "354 go on", "250 queued")
    assert talk.line.written == [b"".join(COMMANDS)]
    assert talk.asked == 0


@pytest.mark.parametrize(
    ("heard", "phase"), [([], "mail"), (["250 ok"], "rcpt"), (["250 ok"] * 2, "data")]
)
async def test_a_server_that_says_farewell_is_waited_for_no_longer(
    heard: Sequence[str], phase: str
) -> None:
    talk = Talk()
    talk.hear(*heard, "421 4.3.2 closing")
    assert await talk.outcome() == (phase, 421, "4.3.2 closing")
    assert talk.line.written == [b"".join(COMMANDS)]


async def test_a_reply_that_nobody_waited_for_spoils_the_line() -> None:
    talk = Talk()
    talk.hear("250 ok", "250 ok", "354 go on", "250 queued", "250 and what is this")
    assert await talk.outcome() == ("content", 250, "queued")
    assert not talk.wire.clear

    second = Transaction(talk.wire, COMMANDS, CONTENT, talk.clearance, lambda _: None)
    second.start(pipelining=True)
    with pytest.raises(LineLostError):
        await second.answer


@pytest.mark.parametrize("noise", [b"x" * 40_000, b"hello\r\n", b"2x0 ok\r\n", b"\r\n"])
async def test_what_is_no_reply_ends_the_transaction(noise: bytes) -> None:
    talk = Talk()
    talk.hear("250 ok")
    talk.wire.data_received(noise)
    with pytest.raises(LineLostError) as caught:
        await talk.outcome()
    assert caught.value.phase == "rcpt"
    talk.hear("250 ok", "354 go on")
    assert talk.line.written == [b"".join(COMMANDS)], "nothing leaves after nonsense"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_replies_may_come_in_any_pieces_and_have_many_lines(size: int) -> None:
    talk = Talk(pipelining=False)
    said = "".join(f"{reply}\r\n" for reply in ("250-one", "250 two", "250 ok", "354 go"))
    for at in range(0, len(said), size):
        talk.wire.data_received(said[at : at + size].encode())
    talk.hear("250-queued", "250 as 1")
    assert talk.line.written == [*COMMANDS, CONTENT]
    assert await talk.outcome() == ("content", 250, "queued\nas 1")
