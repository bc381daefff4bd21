"""One HTTP connection, with an end to what a client may send and to how long it may take."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_CONNECTIONS = 500
"""Below the usual limit of 1,024 open files, with room for the connections to Redis."""

REQUEST_SECONDS = 10.0
"""For a whole request to arrive, headers and body."""

_LARGEST_HEAD = 1 << 15
_LARGEST_REQUEST = (1 << 20) + (1 << 17)  # a notification's 1 MB, its headers, its chunking


class BoundedHttpProtocol(HttpToolsProtocol):
    """
    uvicorn's protocol on httptools, which by itself waits and buffers without limit.

    uvicorn 0.54 has no setting for it. Its keep-alive timeout runs after an answer only, nothing
    ends a request that never arrives whole (Kludex/uvicorn#157); only h11 has a limit to headers;
    `limit_concurrency` looks at whole headers, so connections that send none are not counted out.

    What an application does not read of a body is taken in and dropped, up to the same limits.
    """

    _deadline: asyncio.TimerHandle | None = None
    _received = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self._set_deadline()
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, "Too many connections are open; try again later.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._deadline is None:
            self._set_deadline()
        self._received += len(data)
        if self._received > _LARGEST_REQUEST:
            self.transport.close()
            return
        super().data_received(data)
        if self._in_head and self._received > _LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(431, "The headers of this request are too long.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._clear_deadline()
        self._received, self._in_head = 0, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are about itself
        self._refuse(400, "This is not a proper HTTP/1.1 request.")

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_late)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self._refuse(408, "The request did not arrive in time.")

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer, unless an answer has begun, and close the connection."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if not (answering and self.cycle.response_started):
            body = f"{sentence}\n".encode()
            headers = [
                *self.server_state.default_headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            lines = [b"%b: %b\r\n" % header for header in headers]
            first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
            self.transport.write(first + b"".join(lines) + b"\r\n" + body)
        self.transport.close()
