"""A customer's app that answers what a test wants, and keeps what it was posted."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from channels.webhook import WebhookTarget
from tests.channels.sms.servers import SILENCE, Answer, Reply

KEPT = Answer(200, {"taken": True})
SECRET = "whsec_aHVudGVyMi1vSzktaHVudGVyMi1vSzktaHVudGVy"
PATH = "/hooks/very-secret/"


@dataclass
class App:
    """Answers each POST with `reply`; `raw` are the requests it took, or was told to lose."""

    reply: Reply = KEPT
    scheme: str = "http"
    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    sessions: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.writers.discard(writer)
        async with self.ended:
            self.ended.notify_all()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(headers_of(head).get("content-length", 0)))
        posted = head.startswith(b"POST ")
        reply = self.reply if posted else Answer(405, b"")
        self.heads.append(head)
        if posted and (not isinstance(reply, Answer) or reply.status < 300):
            self.raw.append(head + body)
        self.asked.set()
        if isinstance(reply, Answer):
            writer.write(reply.to_bytes() if posted else b"HTTP/1.1 405 X\r\n\r\n")
            await writer.drain()
            return posted
        return reply == SILENCE

    async def hang_up(self) -> None:
        """Cut every connection and wait until all have ended."""
        for writer in self.writers:
            writer.transport.abort()
        async with self.ended:
            await self.ended.wait_for(lambda: not self.writers)

    def target(self, *, timeout: float = 240.0) -> WebhookTarget:
        url = f"{self.scheme}://localhost:{self.port}{PATH}"
        return WebhookTarget(url=url, secret=SECRET, connections=4, timeout=timeout)


def headers_of(raw: bytes) -> Mapping[str, str]:
    """Return the headers of a request, their names in lower case."""
    lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}


def body_of(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[2]


@asynccontextmanager
async def app(reply: Reply = KEPT, tls: ssl.SSLContext | None = None) -> AsyncIterator[App]:
    """Serve on a free port of the loopback until the block ends."""
    double = App(reply, scheme="https" if tls else "http")
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0, ssl=tls)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        await double.hang_up()
        await server.wait_closed()
