"""A TCP proxy on loopback that can be told to fail."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Self

from tests.chaos.proxying.dialogues import Dialogue, Nothing

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST and forgets what is unsent


class Proxy:
    """
    Forwards to 127.0.0.1:*target* and listens in on every connection with a new *listen()*.

    `delay` (seconds for every chunk, on top of *latency*) and `refusing` (new connections are
    reset) may be set at any time. `swallowed` counts the answers that were kept back.
    """

    def __init__(
        self, target: int, listen: Callable[[], Dialogue] = Nothing, *, latency: float = 0.0
    ) -> None:
        self.target = target
        self.latency = latency
        self.delay = 0.0
        self.refusing = False
        self.swallowed = 0
        self._listen = listen
        self._links: set[_Link] = set()
        self._to_swallow = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._serving)

    def cut(self) -> int:
        """Reset all open connections at once; return how many there were."""
        for link in self._links:
            link.reset()
        return len(self._links)

    def cut_after(self, octets: int) -> int:
        """Reset each open connection after *octets* more bytes of its client; return how many."""
        for link in self._links:
            link.remaining = octets
        return len(self._links)

    def swallow(self, number: int) -> None:
        """
        Keep back the answers to the next *number* effects, and reset those connections.

        The request was forwarded whole, and the server has answered it: what it asked for has
        happened, and the client does not know.
        """
        self._to_swallow += number

    def calm(self) -> None:
        """Forward everything from now on."""
        self.delay, self.refusing, self._to_swallow = 0.0, False, 0
        for link in self._links:
            link.remaining = None

    def swallows(self) -> bool:
        """Return whether the answer that has just come is one to keep back, and count it."""
        if not self._to_swallow:
            return False
        self._to_swallow -= 1
        self.swallowed += 1
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            _reset(writer)
            return
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        link = _Link(self, self._listen(), (reader, writer), upstream)
        task = asyncio.create_task(link.run())
        self._links.add(link)
        self._serving.add(task)
        try:
            await task
        finally:
            self._links.discard(link)
            self._serving.discard(task)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection, from the client through the proxy to the server."""

    def __init__(self, proxy: Proxy, dialogue: Dialogue, client: Ends, server: Ends) -> None:
        self.remaining: int | None = None
        self._proxy = proxy
        self._dialogue = dialogue
        self._client = client
        self._server = server

    async def run(self) -> None:
        """Forward both ways until one side closes or the line is cut; then close both."""
        ways = [
            asyncio.create_task(self._forward_questions()),
            asyncio.create_task(self._forward_answers()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._client, self._server):
                writer.close()

    def reset(self) -> None:
        for _, writer in (self._client, self._server):
            _reset(writer)

    async def _forward_questions(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._client[0].read(_CHUNK):
                await asyncio.sleep(self._proxy.latency + self._proxy.delay)
                kept = chunk if self.remaining is None else chunk[: self.remaining]
                self._dialogue.asked(kept)
                self._server[1].write(kept)
                await self._server[1].drain()
                if self.remaining is not None:
                    self.remaining -= len(kept)
                    if not self.remaining:
                        # With FIN to the server: it gets what was forwarded, and no more.
                        _reset(self._client[1])
                        return

    async def _forward_answers(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._server[0].read(_CHUNK):
                await asyncio.sleep(self._proxy.latency + self._proxy.delay)
                attempt = self._dialogue.pending
                self._dialogue.answered(chunk)
                if attempt is not None:
                    if self._proxy.swallows():
                        _reset(self._client[1])
                        return
                    attempt.forwarded = True
                self._client[1].write(chunk)
                await self._client[1].drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    line = writer.get_extra_info("socket")
    if line is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
