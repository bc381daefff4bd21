"""The proxy over real sockets: what it forwards, cuts and keeps back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.chaos.proxying.dialogues import Attempt, Dialogue, HttpDialogue, Nothing, SmtpDialogue
from tests.chaos.proxying.proxy import Proxy
from tests.support.waiting import wait_until

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """Answers as it is told, line for line, and keeps what it got."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.got = b""
        self.ended = 0
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                self.got += chunk
                for end, answer in self._answers.items():
                    if chunk.endswith(end):
                        writer.write(answer)
        except ConnectionError:
            pass
        finally:
            self.ended += 1
            writer.close()


ECHO = {b"": b"answer"}


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Client]:
    client = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield client
    finally:
        client[1].close()
        with suppress(OSError):
            await client[1].wait_closed()


@asynccontextmanager
async def through(
    answers: dict[bytes, bytes], listen: Callable[[], Dialogue] = Nothing
) -> AsyncIterator[tuple[Proxy, Server, Client]]:
    """A server with *answers*, a proxy in front of it, and one connection."""
    server = Server(answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, Proxy(port, listen) as proxy, connected(proxy) as client:
        yield proxy, server, client


async def ask(client: Client, question: bytes) -> bytes:
    client[1].write(question)
    return await asyncio.wait_for(client[0].read(65536), 120)


async def test_questions_and_answers_pass_unchanged() -> None:
    async with through(ECHO) as (_, server, client):
        assert await ask(client, b"question") == b"answer"
        assert server.got == b"question"


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    async with through(ECHO) as (proxy, _, _):
        proxy.target = 1
        async with connected(proxy) as other:
            with pytest.raises(ConnectionError):
                await ask(other, b"question")


async def test_a_cut_resets_both_sides() -> None:
    async with through(ECHO) as (proxy, server, client):
        await ask(client, b"question")

        assert proxy.cut() == 1

        with pytest.raises(ConnectionError):
            await ask(client, b"again")
        await wait_until(lambda: server.ended)


async def test_a_cut_inside_lets_exactly_so_much_through() -> None:
    async with through({}) as (proxy, server, client):
        client[1].write(b"first")
        await wait_until(lambda: server.got == b"first")
        proxy.cut_after(7)

        with pytest.raises(ConnectionError):
            await ask(client, b"0123456789")

        await wait_until(lambda: server.ended)
        assert server.got == b"first0123456"


async def test_new_connections_are_refused_until_it_is_calm_again() -> None:
    async with through(ECHO) as (proxy, _, _):
        proxy.refusing = True
        async with connected(proxy) as other:
            with pytest.raises(ConnectionError):
                await ask(other, b"question")
        proxy.calm()
        async with connected(proxy) as other:
            assert await ask(other, b"question") == b"answer"


async def test_a_delay_concerns_every_chunk() -> None:
    loop = asyncio.get_running_loop()
    async with through(ECHO) as (proxy, _, client):
        proxy.delay = 0.1
        start = loop.time()
        await ask(client, b"question")
        assert loop.time() - start >= 0.2


SMTP = {
    b">\r\n": b"250 ok\r\n",
    b"DATA\r\n": b"354 go on\r\n",
    b"\r\n.\r\n": b"250 stored\r\n",
}


async def send_mail(client: Client) -> bytes:
    await ask(client, b"MAIL FROM:<a@example.com>\r\n")
    await ask(client, b"RCPT TO:<b@example.com>\r\n")
    await ask(client, b"DATA\r\n")
    return await ask(client, b"Subject: x\r\n\r\nRCPT TO:<no@example.com>\r\n.\r\n")


async def test_a_mail_is_seen_with_its_recipient_and_its_answer() -> None:
    attempts: list[Attempt] = []
    async with through(SMTP, lambda: SmtpDialogue("w", attempts)) as (_, _, client):
        assert await send_mail(client) == b"250 stored\r\n"
    [attempt] = attempts
    assert (attempt.by, attempt.key, attempt.code, attempt.forwarded) == (
        "w",
        "b@example.com",
        250,
        True,
    )


async def test_the_answer_to_the_final_dot_is_kept_back_once() -> None:
    attempts: list[Attempt] = []
    async with through(SMTP, lambda: SmtpDialogue("w", attempts)) as (proxy, server, client):
        proxy.swallow(1)
        with pytest.raises(ConnectionError):
            await send_mail(client)
        assert server.got.endswith(b"\r\n.\r\n")
        async with connected(proxy) as again:
            assert await send_mail(again) == b"250 stored\r\n"
        assert proxy.swallowed == 1
    assert [(each.code, each.forwarded) for each in attempts] == [(250, False), (250, True)]


POST = (
    b"POST /Messages.json HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\nTo=%2B14155552671&Bo=y"
)
GET = b"GET /v1/Orders/1 HTTP/1.1\r\nHost: x\r\n\r\n"
CREATED = {b"\r\n\r\n": b"HTTP/1.1 200 OK\r\n\r\n", b"y": b"HTTP/1.1 201 Created\r\n\r\n"}


async def test_the_answer_to_a_post_is_kept_back_and_that_to_a_get_is_not() -> None:
    attempts: list[Attempt] = []
    async with through(CREATED, lambda: HttpDialogue("w", attempts)) as (proxy, server, client):
        proxy.swallow(1)
        assert b"200" in await ask(client, GET)
        # In two parts: nothing is kept back before the request is whole.
        client[1].write(POST[:-3])
        await wait_until(lambda: server.got.endswith(POST[:-3]))
        with pytest.raises(ConnectionError):
            await ask(client, POST[-3:])
    [attempt] = attempts
    assert (attempt.key, attempt.code, attempt.forwarded) == ("+14155552671", 201, False)
