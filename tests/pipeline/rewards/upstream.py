"""A scripted rewards API on a real socket: it says and does what a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def bearer(self) -> str | None:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None


def reply(status: int, content: object = b"", **headers: str) -> bytes:
    """Return an HTTP answer; *content* is bytes as they are, or a document for JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer so slowly that no single read times out, and never to the end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def cut_short(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{")
    writer.close()


def flood(document: object) -> Act:
    """Return what sends *document* in more bytes than anybody should keep in memory."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(17):
            writer.write(b" " * 2**20)
            await writer.drain()
        writer.write(json.dumps(document).encode())
        writer.close()

    return send


@dataclass(slots=True)
class Upstream:
    """Replies by "METHOD /path": each once, in order, and the last one for ever."""

    port: int = 0
    connections: int = 0
    seen: list[Seen] = field(default_factory=list)
    _replies: dict[str, list[Reply]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, route: str, *replies: Reply) -> None:
        self._replies[route] = list(replies)

    def asked(self, route: str) -> list[Seen]:
        return [each for each in self.seen if f"{each.method} {each.target}" == route]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _request(reader)) is not None:
                self.seen.append(request)
                await self._answer(f"{request.method} {request.target}", writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, route: str, writer: asyncio.StreamWriter) -> None:
        replies = self._replies.get(route, [reply(404, {"message": "no such route"})])
        chosen = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(chosen, bytes):
            writer.write(chosen)
        else:
            await chosen(writer)
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method=method, target=target, headers=headers, body=body)


@asynccontextmanager
async def running() -> AsyncIterator[Upstream]:
    """Serve on a free port; ends every connection on the way out."""
    upstream = Upstream()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(upstream.serve(reader, writer))
        tasks.add(task)
        await asyncio.wait({task})

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
