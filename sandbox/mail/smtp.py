"""The mail sink's port: plain, STARTTLS or TLS."""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import cast

from aiosmtpd.smtp import SMTP

from sandbox.faults import Chaos, MailFaults
from sandbox.mail.sink import MailSink
from sandbox.options import MailOptions

_PLAIN_ADDRESS = re.compile(r"<([\w.+=-]+@[\w.-]+)>(.*)$")


class _Connection(SMTP):
    """One SMTP session; stands in *open_* from its first byte to its last."""

    def __init__(
        self, sink: MailSink, starttls: ssl.SSLContext | None, open_: set["_Connection"]
    ) -> None:
        super().__init__(
            sink,
            hostname="sandbox.example",
            ident="claimcast sandbox",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
            authenticator=sink.authenticate,
            # The sink asks for the login: aiosmtpd does not see that implicit TLS is TLS.
            auth_require_tls=starttls is not None,
            tls_context=starttls,
            require_starttls=starttls is not None,
        )
        self._open = open_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        super().connection_lost(error)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # The usual form needs no full parser, which costs a tenth of a session's time.
        match = _PLAIN_ADDRESS.match(arg)
        return (match[1], match[2]) if match else super()._getaddr(arg)

    async def end(self) -> None:
        """Cut the connection and wait until its handler has ended."""
        if self.transport is not None:
            _abort(self.transport)
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _abort(transport)


def _abort(transport: asyncio.BaseTransport) -> None:
    # Not isinstance: uvloop's transports are no subclass of asyncio's.
    cast("asyncio.Transport", transport).abort()


@asynccontextmanager
async def receiving(
    sink: MailSink, chaos: Chaos[MailFaults], options: MailOptions, host: str
) -> AsyncIterator[int]:
    """
    Serve SMTP and yield the port.

    Raises OSError if the port is taken or the certificate cannot be read.
    """
    # aiosmtpd logs addresses and whole messages, which hold links.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    loop = asyncio.get_running_loop()
    context = _tls_context(options)
    starttls = context if options.security == "starttls" else None
    implicit = context if options.security == "tls" else None
    numbers = count(1)
    open_: set[_Connection] = set()

    def connect() -> asyncio.Protocol:
        if chaos.hits("refuse", f"connection:{next(numbers)}"):
            return _Refused()
        return _Connection(sink, starttls, open_)

    server = await loop.create_server(connect, host, options.port, ssl=implicit, backlog=1024)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.gather(*(connection.end() for connection in set(open_)))
        await server.wait_closed()


def _tls_context(options: MailOptions) -> ssl.SSLContext | None:
    if options.security == "none":
        return None
    if options.certificate is None:
        msg = f"SMTP security {options.security} needs a certificate"
        raise ValueError(msg)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    return context
