"""The line of an open SMTP session: bytes out, whole replies in, and no task in between."""

import asyncio
from typing import Protocol, cast

_LONGEST_REPLY = 32_768  # octets; RFC 5321, section 4.5.3.1.5, allows 512 to a line


class Listener(Protocol):
    """What waits for replies."""

    def replied(self, code: int, text: str) -> None:
        """Take the next reply; lines of one reply are joined by LF."""
        ...

    def lost(self) -> None:
        """The line is gone, or says what nobody can read: no more replies will come."""
        ...


class Wire(asyncio.Protocol):
    """
    Takes over the transport of a session that was opened, encrypted and logged in before.

    One listener at a time. A reply that no listener waits for leaves it unclear what later ones
    answer, so after one `clear` is false, and the line is good for nothing more.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._listener: Listener | None = None
        self._rest = b""
        self._lines: list[str] = []
        self.clear = True
        transport.set_protocol(self)

    @property
    def connected(self) -> bool:
        return not self._transport.is_closing()

    def listen(self, listener: Listener | None) -> None:
        """Give *listener* the replies from now on; None if no more are expected."""
        self._listener = listener
        if listener is not None and (not self.connected or not self.clear):
            self._listener = None
            listener.lost()

    def write(self, data: bytes) -> None:
        """Write without waiting; what cannot leave any more shows as a lost line."""
        if self.connected:
            self._transport.write(data)

    def close(self) -> None:
        """Close once everything that was written has left."""
        self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever was written."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_REPLY:
            self._break()
        for line in lines:
            self._line(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._break()

    def _line(self, line: bytes) -> None:
        code, text = line[:3], line[4:].strip().decode("utf-8", "surrogateescape")
        if not code.isdigit() or len(line) + len(self._lines) > _LONGEST_REPLY:
            self._break()
        elif line[3:4] == b"-":
            self._lines.append(text)
        else:
            if self._lines:
                text, self._lines = "\n".join([*self._lines, text]), []
            self._reply(int(code), text)

    def _reply(self, code: int, text: str) -> None:
        if self._listener is None:
            self.clear = False
        else:
            self._listener.replied(code, text)

    def _break(self) -> None:
        self.clear = False
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.lost()


def transport_of(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Return what aiosmtplib calls a base transport as what it is."""
    return cast("asyncio.Transport", transport)
