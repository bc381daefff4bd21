"""
A mail server that throws everything away, for machines without postfix's `smtp-sink`.

`python -m bench.world.sink PORT FILE [MILLISECONDS]`; at its end it writes to FILE when each mail
came (seconds). Its answers take so many milliseconds, as those of a server elsewhere do.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import uvloop

_GREETING = b"220 sink ESMTP\r\n"
_HELLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
)
_OK, _GO_ON, _BYE = b"250 2.0.0 Ok\r\n", b"354 End with <CRLF>.<CRLF>\r\n", b"221 2.0.0 Bye\r\n"
_END = b"\r\n.\r\n"


class SinkConnection(asyncio.Protocol):
    """One client; *moments* collects when each mail was complete, answers take *delay* seconds."""

    def __init__(self, moments: list[float], delay: float = 0.0) -> None:
        self._moments = moments
        self._delay = delay
        self._waiting = b""
        self._in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        replies = []
        while (reply := self._next()) is not None:
            replies.append(reply)
        if replies and self._delay:
            # Commands that came together are answered together: one journey.
            asyncio.get_running_loop().call_later(self._delay, self._answer, replies)
        elif replies:
            self._answer(replies)

    def _answer(self, replies: Sequence[bytes]) -> None:
        self._transport.write(b"".join(replies))
        if replies[-1] is _BYE:
            self._transport.close()

    def _next(self) -> bytes | None:
        """Return the reply to the next complete command or content, None if there is none yet."""
        if self._in_content:
            return self._content()
        line, end, rest = self._waiting.partition(b"\r\n")
        if not end:
            return None
        self._waiting = rest
        verb = line[:4].upper()
        if verb == b"DATA":
            # So that an empty message ends as others do.
            self._in_content, self._waiting = True, b"\r\n" + rest
            return _GO_ON
        return {b"EHLO": _HELLO, b"QUIT": _BYE}.get(verb, _OK)

    def _content(self) -> bytes | None:
        _, end, rest = self._waiting.partition(_END)
        if not end:
            return None
        self._waiting, self._in_content = rest, False
        self._moments.append(time.monotonic())
        return _OK


async def serve(port: int, file: Path, delay: float) -> None:
    """Serve on loopback until SIGTERM."""
    loop, stop, moments = asyncio.get_running_loop(), asyncio.Event(), list[float]()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(
        lambda: SinkConnection(moments, delay), "127.0.0.1", port, backlog=1024
    )
    await stop.wait()
    server.close()
    await asyncio.to_thread(file.write_text, "\n".join(map(str, moments)), "utf-8")


if __name__ == "__main__":
    delay_ms = float(sys.argv[3]) if len(sys.argv) > 3 else 0
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2]), delay_ms / 1000))
