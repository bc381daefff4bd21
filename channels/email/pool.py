"""Connections to one mail server, opened on demand and kept across messages."""

import asyncio
from collections import deque

from channels.email.connection import SmtpConnection
from channels.email.opening import open_client
from channels.email.server import SmtpServer
from channels.email.transaction import Transaction
from pipeline.domain.errors import BlockedError


class ConnectionPool:
    """
    At most `server.connections` at once; a message that finds none waits, or is pipelined on one.

    The one used last is taken first, so that those not needed grow idle and close.
    """

    def __init__(self, server: SmtpServer, sender: str) -> None:
        self._free = server.connections
        self._waiting: deque[tuple[Transaction, bool, asyncio.Future[SmtpConnection | None]]] = (
            deque()
        )
        self._server = server
        self._sender = sender
        self._context = server.tls_context()
        self._idle: list[SmtpConnection] = []
        self._opening_lock = asyncio.Lock()
        self._proven = asyncio.Event()
        self._failure: BlockedError | None = None
        self._closed = False

    async def begin(self, transaction: Transaction, *, fresh: bool) -> SmtpConnection:
        """
        Return the connection on which *transaction* has begun; to be ended with `finish`.

        A *fresh* one is opened for it. Raises BlockedError if none can be opened, PermanentError
        if this server can't take the address.
        """
        pipelined = await self._acquire(transaction, pipelinable=not fresh)
        if pipelined is not None:
            return pipelined
        try:
            connection = await (self._open_fresh() if fresh else self._reuse_or_open())
        except BaseException:
            self._release()
            raise
        try:
            connection.start(transaction)
        except Exception:
            self._put_back(connection)
            raise
        return connection

    def finish(self, transaction: Transaction, connection: SmtpConnection) -> None:
        """End a transaction, also a cancelled one; the last one gives the connection back."""
        transaction.answer.cancel()
        if transaction.answer.cancelled() and transaction.listening:
            connection.discard()  # its answer would be taken for another one's
        connection.users -= 1
        if not connection.users:
            self._put_back(connection)

    async def open(self) -> SmtpConnection:
        """
        Return a new connection; raises BlockedError.

        Until one has succeeded, and again after a failure, they are opened one at a time, and
        all that waited share the failure: twenty tries of a wrong password lock an account.
        """
        if self._proven.is_set():
            return await self._open()
        failure = self._failure
        async with self._opening_lock:
            if not self._proven.is_set():
                if self._failure is not None and self._failure is not failure:
                    raise _copy(self._failure)
                return await self._open()
        return await self._open()

    async def aclose(self) -> None:
        """Close what rests now, and the others as they come back; may be called twice."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

    async def _open(self) -> SmtpConnection:
        if self._closed:
            code = "smtp_closed"
            raise BlockedError(code, "the channel is closed")
        try:
            client = await open_client(self._server, self._context)
            connection = SmtpConnection(client, self._server, self._sender, self._next_waiting)
        except BlockedError as error:
            self._proven.clear()
            self._failure = error
            raise
        self._proven.set()
        return connection

    async def _acquire(
        self, transaction: Transaction, *, pipelinable: bool
    ) -> SmtpConnection | None:
        """Wait for the right to a connection, or for one that *transaction* is pipelined on."""
        if self._free:
            self._free -= 1
            return None
        waiter: asyncio.Future[SmtpConnection | None] = asyncio.get_running_loop().create_future()
        # Only what any server can take is pipelined: nobody would learn what is wrong with it.
        self._waiting.append(
            (transaction, pipelinable and transaction.message.to.isascii(), waiter)
        )
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._give_up(transaction, waiter.result())
            raise

    def _give_up(self, transaction: Transaction, connection: SmtpConnection | None) -> None:
        if connection is None:
            self._release()
        else:
            self.finish(transaction, connection)

    def _next_waiting(self, connection: SmtpConnection) -> Transaction | None:
        while self._waiting and not self._closed:
            transaction, pipelinable, waiter = self._waiting[0]
            if waiter.done():  # cancelled
                self._waiting.popleft()
            elif pipelinable:
                self._waiting.popleft()
                waiter.set_result(connection)
                return transaction
            else:
                return None
        return None

    async def _reuse_or_open(self) -> SmtpConnection:
        return self._reusable() or await self.open()

    async def _open_fresh(self) -> SmtpConnection:
        # Those in use and those that rest are together no more than are allowed.
        while len(self._idle) > self._free:
            self._idle.pop(0).discard()
        return await self.open()

    def _reusable(self) -> SmtpConnection | None:
        """Return an open connection that rested, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.discard()
        return None

    def _put_back(self, connection: SmtpConnection) -> None:
        """Keep *connection* for the next message, or close it if it is exhausted or unclear."""
        if connection.usable and not self._closed:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.discard()
        self._release()

    def _release(self) -> None:
        while self._waiting:
            _, _, waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


def _copy(error: BlockedError) -> BlockedError:
    # One exception raised by many tasks would collect all their tracebacks.
    return BlockedError(error.code, error.detail, fatal=error.fatal)
