"""A Twilio that says what a test wants, and counts what it was told."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from channels.sms import TwilioAccount

HANG_UP = "hang up"
SILENCE = "silence"

SID = "AC00000000000000000000000000000000"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{name}: {text}" for name, text in {**headers, **self.headers}.items()]
        return "\r\n".join([f"HTTP/1.1 {self.status} X", *lines, "", ""]).encode() + body


Reply: TypeAlias = Answer | str | None
Script = Callable[[Request], Reply]
"""None is the ordinary answer; HANG_UP and SILENCE are no answer."""


@dataclass
class Twilio:
    """Follows `script`; `bodies` are those of messages it has accepted, or was told to lose."""

    script: Script = lambda request: None
    scheme: str = "http"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    sessions: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)
    """What the message list shows, newest first."""
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(await _request(reader), writer):
                pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.writers.discard(writer)
        async with self.ended:
            self.ended.notify_all()

    async def hang_up(self) -> None:
        """Cut every connection and wait until all have ended."""
        for writer in self.writers:
            writer.transport.abort()
        async with self.ended:
            await self.ended.wait_for(lambda: not self.writers)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(request)
        reply = self.script(request) or self._ordinary(request)
        refused = isinstance(reply, Answer) and reply.status >= 400
        if request.method == "POST" and not refused:
            self.bodies.append(request.form["Body"].encode())
        if isinstance(reply, Answer):
            writer.write(reply.to_bytes())
            await writer.drain()
        return reply != HANG_UP

    def _ordinary(self, request: Request) -> Answer:
        if request.method == "POST":
            return Answer(201, a_record(to=request.form["To"], body=request.form["Body"]))
        size, page = int(request.query["PageSize"]), int(request.query.get("Page", 0))
        shown = self.listed[page * size :][:size]
        more = len(self.listed) > (page + 1) * size
        next_page = f"{request.path}?PageSize={size}&Page={page + 1}" if more else None
        return Answer(200, {"messages": shown, "page": page, "next_page_uri": next_page})

    def account(self, **changes: object) -> TwilioAccount:
        values: dict[str, object] = {
            "account_sid": SID,
            "auth_token": "very-secret",
            "from_number": "+15005550006",
            "base_url": f"{self.scheme}://localhost:{self.port}",
            "connect_timeout": 60.0,
            "timeout": 120.0,
            **changes,
        }
        return TwilioAccount(**values)  # type: ignore[arg-type]  # a test's keywords


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {
        name.lower(): text for name, _, text in (line.partition(": ") for line in head[1:-2])
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    url = urlsplit(target)
    return Request(
        method, url.path, dict(parse_qsl(url.query)), dict(parse_qsl(body.decode())), headers
    )


@asynccontextmanager
async def twilio(
    script: Script = lambda request: None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Twilio]:
    """Serve on a free port of the loopback until the block ends."""
    double = Twilio(script, scheme="https" if tls else "http")
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0, ssl=tls)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        await double.hang_up()
        await server.wait_closed()


@contextmanager
def deaf_port() -> Iterator[int]:
    """Yield a port that refuses connections for as long as the block runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def on_post(reply: Reply) -> Script:
    return lambda request: reply if request.method == "POST" else None


def on_get(reply: Reply) -> Script:
    return lambda request: reply if request.method == "GET" else None


def an_error(code: int, status: int = 400, **headers: str) -> Answer:
    body = {
        "code": code,
        "message": "no to +15551234567, see https://x.example/",
        "status": status,
    }
    return Answer(status, body, {name.replace("_", "-"): text for name, text in headers.items()})


def a_record(**changes: object) -> dict[str, Any]:
    return {
        "sid": "SM00000000000000000000000000000001",
        "to": "+4915112345678",
        "body": "",
        "status": "queued",
        "error_code": None,
        "date_created": "Sun, 09 Sep 2001 01:46:40 +0000",
        "date_sent": None,
        **changes,
    }
