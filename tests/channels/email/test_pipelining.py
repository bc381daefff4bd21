"""Messages pipelined behind others over few connections, and a server that may do anything."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.email import EmailChannel, SmtpServer
from pipeline.domain.errors import DeliveryError, PermanentError, UncertainError
from pipeline.domain.models import DeliveryKey, Message
from tests.support.waiting import wait_until

HANG_UP = "hang up"
ORDINARY = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "CONTENT": "250 queued"}
ANSWERS = ["250 ok", "354 go on", "421 closing", "451 later", "550 5.1.1 nobody", HANG_UP]


@dataclass
class Server:
    """Answers with what is left in `answers`, then as usual; notes which content came to whom."""

    answers: dict[str, list[str | None]]
    sessions: int = 0
    contents: list[tuple[str, str, bool]] = field(default_factory=list)
    """(named in RCPT, named in the content, taken)"""
    opened: int = 0
    silent: bool = False
    """Whether contents are left without an answer."""

    def answer(self, verb: str) -> str:
        left = self.answers.get(verb) or [None]
        return left.pop(0) or ORDINARY.get(verb, "250 ok")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.opened += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 hello\r\n")
            await self._converse(reader, writer)
        self.sessions -= 1
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        named = ""
        while line := (await reader.readline()).decode():
            verb = line.split(":")[0].split()[0]
            if verb == "EHLO":
                writer.write(b"250-here\r\n250 PIPELINING\r\n")
                continue
            answer = self.answer(verb)
            if answer == HANG_UP:
                return
            if verb == "RCPT":
                named = line.partition("<")[2].partition("@")[0]
            writer.write(f"{answer}\r\n".encode())
            if verb == "DATA" and answer.startswith("354"):
                content = await reader.readuntil(b".\r\n")
                answer = self.answer("CONTENT")
                self.contents.append((named, content.decode()[:-5], answer.startswith("250")))
                if answer == HANG_UP:
                    return
                await wait_until(lambda: not self.silent)
                writer.write(f"{answer}\r\n".encode())


@asynccontextmanager
async def serving(answers: dict[str, list[str | None]]) -> AsyncIterator[tuple[Server, int]]:
    double = Server(answers)
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    try:
        yield double, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await wait_until(lambda: not double.sessions)
        await server.wait_closed()


def channel_to(port: int, connections: int, **changes: float) -> EmailChannel:
    return EmailChannel(
        SmtpServer(
            host="127.0.0.1",
            port=port,
            security="none",
            sender="r@example.com",
            connections=connections,
            messages_per_connection=7,
            connect_timeout=60.0,
            idle_timeout=600.0,
            **changes,  # type: ignore[arg-type] # a test's seconds
        )
    )


def message(name: str) -> Message:
    return Message(key=DeliveryKey(name), to=f"{name}@example.com", content=f"{name}\r\n".encode())


class Sending:
    """Many messages through one channel; what became of each, and how often it was cleared."""

    def __init__(self, channel: EmailChannel) -> None:
        self._channel = channel
        self.cleared: Counter[str] = Counter()
        self.outcomes: dict[str, str] = {}

    async def one(self, name: str) -> None:
        self.outcomes[name] = "cancelled"
        try:
            await self._channel.send(message(name), lambda: self.cleared.update([name]))
            self.outcomes[name] = "sent"
        except UncertainError:
            self.outcomes[name] = "uncertain"
        except DeliveryError:
            self.outcomes[name] = "not sent"

    async def many(self, names: Sequence[str], cancelled: Sequence[tuple[int, int]]) -> None:
        """Send *names* at once; of each pair, cancel the one after so many were cleared."""
        tasks = [asyncio.create_task(self.one(name)) for name in names]
        for index, after in sorted(cancelled, key=lambda pair: pair[1]):
            await wait_until(
                lambda: self.cleared.total() >= after or all(task.done() for task in tasks)  # noqa: B023 - awaited here
            )
            tasks[index].cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)


scripts = st.fixed_dictionaries(
    {
        verb: st.lists(st.none() | st.sampled_from(ANSWERS), max_size=8)
        for verb in ("MAIL", "RCPT", "DATA", "CONTENT", "RSET")
    }
)
cancels = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 8)), max_size=3)


@given(answers=scripts, cancelled=cancels, connections=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
async def test_whatever_the_server_does_nobody_gets_two_or_another_ones(
    answers: dict[str, list[str | None]], cancelled: list[tuple[int, int]], connections: int
) -> None:
    names = [f"p{number}" for number in range(12)]
    async with serving(answers) as (server, port):
        channel = channel_to(port, connections)
        sending = Sending(channel)
        await sending.many(names, cancelled)
        server.answers = {}
        await wait_until(lambda: server.sessions <= connections)
        # All connections can be had again, whatever became of them.
        await sending.many(["after-1", "after-2", "after-3"], [])
        await channel.aclose()

    # A recipient that the server has taken strangely is given an empty message (RFC 2920, 3.1).
    assert all(inside in {named, ""} for named, inside, _ in server.contents)
    came = Counter(inside for _, inside, _ in server.contents)
    taken = Counter(inside for _, inside, taken in server.contents if taken)
    for name, outcome in sending.outcomes.items():
        assert came[name] <= 1
        assert sending.cleared[name] <= 1
        assert taken[name] == 1 or outcome != "sent", name
        assert taken[name] == 0 or outcome in {"sent", "uncertain", "cancelled"}, name
    assert {sending.outcomes[name] for name in ("after-1", "after-2", "after-3")} == {"sent"}


@pytest.mark.parametrize(("number", "opened"), [(7, 1), (8, 2), (14, 2), (15, 3)])
async def test_pipelining_puts_no_more_on_a_connection_than_it_may_carry(
    number: int, opened: int
) -> None:
    names = [f"p{n}" for n in range(number)]
    async with serving({}) as (server, port):
        channel = channel_to(port, 1)
        await Sending(channel).many(names, [])
        await channel.aclose()
    assert [inside for _, inside, _ in server.contents] == names
    assert server.opened == opened


async def test_a_refused_content_leaves_the_line_to_the_next_transaction() -> None:
    async with serving({"CONTENT": ["550 5.6.0 bad"]}) as (server, port):
        channel = channel_to(port, 1)
        sending = Sending(channel)
        await sending.many(["p0", "p1"], [])
        assert sending.outcomes == {"p0": "not sent", "p1": "sent"}
        await arrives(channel, server, "p2")
    assert server.opened == 1


@pytest.mark.parametrize("answer", ["421 only one per session", HANG_UP])
async def test_a_server_that_takes_one_message_per_session_is_sent_the_next_over_another(
    answer: str,
) -> None:
    async with serving({"MAIL": [None, answer]}) as (server, port):
        channel = channel_to(port, 1)
        sending = Sending(channel)
        await sending.many(["p0", "p1"], [])
        await channel.aclose()
    assert set(sending.outcomes.values()) == {"sent"}
    assert server.opened == 2


async def test_the_answer_to_the_content_is_waited_for_longer_than_others() -> None:
    outcomes, opened = list[object](), 0
    for seconds in (0.3, 0.6, 1.2, 2.4, 4.8):  # enough, sooner or later, on a busy machine too
        outcomes, opened = await silent_for_longer_than(seconds)
        if opened == 1 and not any(isinstance(each, Exception) for each in outcomes):
            break
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert opened == 1


async def silent_for_longer_than(seconds: float) -> tuple[list[object], int]:
    """Send two messages to a server that takes more than *seconds* over the first content."""
    async with serving({}) as (server, port):
        channel, server.silent = channel_to(port, 1, command_timeout=seconds), True
        both = asyncio.gather(
            started(channel, "p0"), started(channel, "p1"), return_exceptions=True
        )
        await wait_until(lambda: server.contents or both.done())
        await asyncio.sleep(2.3 * seconds)
        server.silent = False
        outcomes: list[object] = list(await both)
        await channel.aclose()
    # Whatever was late before: once the first content is there, its answer is waited for.
    arrived = "p0" in {inside for _, inside, _ in server.contents}
    assert not (arrived and isinstance(outcomes[0], Exception)), outcomes
    return outcomes, server.opened


async def test_a_second_try_over_a_new_connection_is_not_one_too_many() -> None:
    async with serving({"MAIL": [None, "421 idle for too long"]}) as (server, port):
        channel = channel_to(port, 1)
        sending = Sending(channel)
        await sending.many(["p0"], [])
        # The second meets the 421, and is sent when the connection of the third is free.
        await sending.many(["p1", "p2"], [])
        assert set(sending.outcomes.values()) == {"sent"}
        assert server.opened == 3
        await wait_until(lambda: server.sessions == 1)
        await channel.aclose()


def cleared() -> None:
    """Let every message go."""


def started(channel: EmailChannel, name: str) -> "asyncio.Task[object]":
    return asyncio.create_task(channel.send(message(name), cleared))


async def arrives(channel: EmailChannel, server: Server, name: str) -> None:
    """See that one more message gets through, and that no connection was lost on the way."""
    await asyncio.wait_for(started(channel, name), 60)
    assert server.contents[-1] == (name, name, True)
    await wait_until(lambda: server.sessions == 1)
    await channel.aclose()


async def test_a_message_pipelined_behind_a_cancelled_one_is_sent_at_once() -> None:
    async with serving({}) as (server, port):
        channel, server.silent = channel_to(port, 1), True
        first, second = started(channel, "p0"), started(channel, "p1")
        await wait_until(lambda: server.contents)
        first.cancel()
        server.silent = False
        await asyncio.wait_for(second, 60)
        assert [inside for _, inside, _ in server.contents] == ["p0", "p1"]
        await arrives(channel, server, "p2")


async def test_a_message_cancelled_while_it_waits_takes_no_connection() -> None:
    async with serving({}) as (server, port):
        channel, server.silent = channel_to(port, 1), True
        first = started(channel, "p0")
        await wait_until(lambda: server.contents)
        second = started(channel, "p1")
        await asyncio.sleep(0)
        second.cancel()
        server.silent = False
        await first
        await arrives(channel, server, "p2")


async def test_a_message_cancelled_as_its_connection_comes_hands_it_on() -> None:
    async with serving({}) as (server, port):
        channel, server.silent = channel_to(port, 1), True

        async def send_and_cut_off_the_second() -> None:
            await channel.send(message("p0"), cleared)
            second.cancel()  # in the step that gave it its connection, before it can know

        first = asyncio.create_task(send_and_cut_off_the_second())
        await wait_until(lambda: server.contents)
        second = started(channel, "p1")
        await asyncio.sleep(0)
        server.silent = False
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        await arrives(channel, server, "p2")


async def test_a_message_cancelled_as_it_is_pipelined_leaves_the_line() -> None:
    async with serving({}) as (server, port):
        channel = channel_to(port, 1)
        loop = asyncio.get_running_loop()

        def cut_off_the_second() -> None:
            # Between the step that pipelines it and the one in which it learns of that.
            loop.call_soon(second.cancel)

        first = asyncio.create_task(channel.send(message("p0"), cut_off_the_second))
        second = started(channel, "p1")
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        await arrives(channel, server, "p2")
        assert [inside for _, inside, _ in server.contents] == ["p0", "p2"]


async def test_a_message_that_needs_smtputf8_waits_for_a_connection_of_its_own() -> None:
    async with serving({}) as (server, port):
        channel = channel_to(port, 1)
        other = Message(key=DeliveryKey("p1"), to="用户@example.com", content=b"p1\r\n")
        first = started(channel, "p0")
        await asyncio.sleep(0)
        with pytest.raises(PermanentError, match="smtputf8_unsupported"):
            await asyncio.wait_for(channel.send(other, cleared), 60)
        await first
        await arrives(channel, server, "p2")


async def test_what_waits_is_not_begun_once_the_channel_is_closed() -> None:
    async with serving({}) as (server, port):
        channel = channel_to(port, 1)
        closing: list[asyncio.Task[None]] = []

        def close() -> None:
            closing.append(asyncio.create_task(channel.aclose()))

        send_guards = [close, lambda: None, lambda: None]
        ended = await asyncio.gather(
            *(channel.send(message(f"p{n}"), clear) for n, clear in enumerate(send_guards)),
            return_exceptions=True,
        )
        await closing[0]
    # The second was pipelined behind the first; the third would have needed a connection.
    assert [inside for _, inside, _ in server.contents] == ["p0", "p1"]
    assert isinstance(ended[2], DeliveryError)
    assert ended[2].code == "smtp_closed"
