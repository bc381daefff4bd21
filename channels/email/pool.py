"""Connections to one mail server, opened on demand and kept across messages."""

import asyncio

from channels.email.connection import Connection
from channels.email.opening import open_client
from channels.email.server import SmtpServer
from pipeline.errors import BlockedError


class Pool:
    """
    At most `server.connections` at once: who holds a unit of `slots` may take or open one.

    The one used last is taken first, so that those not needed grow idle and close.
    """

    def __init__(self, server: SmtpServer, sender: str) -> None:
        self.slots = asyncio.Semaphore(server.connections)
        self._server = server
        self._sender = sender
        self._context = server.tls_context()
        self._idle: list[Connection] = []
        self._trial = asyncio.Lock()
        self._proven = asyncio.Event()
        self._failure: BlockedError | None = None
        self._closed = False

    def reusable(self) -> Connection | None:
        """Return an open connection that rested, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.discard()
        return None

    async def open(self) -> Connection:
        """
        Return a new connection; raises BlockedError.

        Until one has succeeded, and again after a failure, they are opened one at a time, and
        who waited shares the failure: twenty tries of a wrong password lock an account.
        """
        if self._proven.is_set():
            return await self._open()
        failure = self._failure
        async with self._trial:
            if not self._proven.is_set():
                if self._failure is not None and self._failure is not failure:
                    raise _copy(self._failure)
                return await self._open()
        return await self._open()

    def put_back(self, connection: Connection) -> None:
        """Keep *connection* for the next message, or close it if it is worn or unclear."""
        if connection.usable and not self._closed:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.discard()

    async def aclose(self) -> None:
        """Close what rests now, and the others as they come back; may be called twice."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

    async def _open(self) -> Connection:
        if self._closed:
            code = "smtp_closed"
            raise BlockedError(code, "the channel is closed")
        try:
            client = await open_client(self._server, self._context)
            connection = Connection(client, self._server, self._sender)
        except BlockedError as error:
            self._proven.clear()
            self._failure = error
            raise
        self._proven.set()
        return connection


def _copy(error: BlockedError) -> BlockedError:
    # One exception raised by many tasks would collect all their tracebacks.
    return BlockedError(error.code, error.detail, fatal=error.fatal)
