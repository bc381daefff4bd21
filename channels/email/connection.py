"""One SMTP session: one message after the other, and exact knowledge of what left."""

import asyncio
from collections.abc import Callable

from aiosmtplib import SMTP

from channels.email.replies import SmtpPhase, classify_reply
from channels.email.server import SmtpServer
from channels.email.transaction import (
    Commands,
    Exchange,
    LineLostError,
    StaleConnectionError,
    Transaction,
    is_final,
)
from channels.email.wire import Wire, transport_of
from pipeline.domain.errors import (
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import Message

_TICK = 1.0  # seconds: how exact the deadlines are


class SmtpConnection:
    """
    An open, logged-in session: one message after the other, the next perhaps right behind it.

    `users` counts the transactions that were begun and not finished (see `ConnectionPool`).
    `next_waiting` is asked for the message that may follow. `usable` is false from the start of a
    transaction until all that were begun ended in a known state. There is one deadline, moved on
    by every step, and one timer that looks at it: time-outs and the end of idleness cost a message
    nothing.
    """

    def __init__(
        self,
        client: SMTP,
        server: SmtpServer,
        sender: str,
        next_waiting: "NextWaiting | None" = None,
    ) -> None:
        if client.transport is None:
            # The server hung up between its last answer and now.
            code = "smtp_connect"
            raise BlockedError(code, "the server closed the connection")
        self._client = client
        self.wire = Wire(transport_of(client.transport))
        self.pipelining = client.supports_extension("pipelining")
        self._next_waiting = next_waiting
        self._server = server
        self._mail = b"MAIL FROM:<%b>" % sender.encode("ascii")
        self._loop = asyncio.get_running_loop()
        self._tick = min(_TICK, server.idle_timeout, server.command_timeout, server.reply_timeout)
        self._timed_out = False
        self.users = 0
        self._open = 0
        self._used = False
        self.sent = 0
        self._move_deadline(server.idle_timeout)
        self._timer = self._loop.call_later(self._tick, self._look_at_deadline)

    @property
    def usable(self) -> bool:
        return not self._open and not self._exhausted and self.wire.clear and self.wire.connected

    @property
    def _exhausted(self) -> bool:
        return self.sent + self._open >= self._server.messages_per_connection

    def start(self, transaction: Transaction) -> None:
        """Begin a transaction; raises PermanentError if this server can't take the address."""
        commands = self._envelope(transaction.message)
        self._count_begun()
        transaction.start(self, commands)

    async def outcome(self, transaction: Transaction) -> str:
        """
        Wait until a transaction has ended; return the server's words about it.

        Raises StaleConnectionError if this connection was used before and the line is dead,
        otherwise what `Channel.send` raises.
        """
        try:
            phase, code, text = await transaction.answer
        except LineLostError as error:
            raise self._lost(error.phase) from None
        if is_final((phase, code, text)) and (code // 100 == 2 or transaction.next_transaction):
            # Whatever the answer to the content, the server is done with this message.
            self._open -= 1
        if phase == "content" and code // 100 == 2:
            self.sent += 1
            return text
        raise await self._refused(transaction, phase, code, text)

    def next_transaction(self) -> Transaction | None:
        """Bind the message that waits longest, if it may be pipelined; see `SmtpSession`."""
        found = None if self._exhausted or self._next_waiting is None else self._next_waiting(self)
        if found is not None:
            self._count_begun()
            self._used = True
            found.bind(self, self._envelope(found.message))
        return found

    def describe(self) -> str:
        """Return in words which addresses the server takes."""
        international = self._client.supports_extension("smtputf8")
        return f"addresses in {'any script' if international else 'ASCII only'}"

    def rest(self) -> None:
        """Start to be idle."""
        self._used = True
        self._move_deadline(self._server.idle_timeout)

    def discard(self) -> None:
        """Close without waiting: with a farewell if that can't be taken for message content."""
        self._timer.cancel()
        if not self._open:
            self.wire.write(b"QUIT\r\n")
            self.wire.close()
        else:
            self.wire.abort()
        self._client.close()

    async def quit(self) -> None:
        """Say farewell and wait for the answer, but not for long."""
        self._timer.cancel()
        farewell = Exchange(self.wire, b"QUIT\r\n").answer
        await asyncio.wait([farewell], timeout=min(2.0, self._server.command_timeout))
        self.wire.close()
        self._client.close()

    def _envelope(self, message: Message) -> Commands:
        to = message.to
        mail = b"MAIL FROM:<%b>" % message.sender.encode() if message.sender else self._mail
        if not to.isascii():
            mail += self._international()
        return mail + b"\r\n", b"RCPT TO:<%b>\r\n" % to.encode(), b"DATA\r\n"

    def _international(self) -> bytes:
        # RFC 6531, section 3.1: a server that offers SMTPUTF8 takes 8BITMIME as well.
        if not self._client.supports_extension("smtputf8"):
            code = "smtputf8_unsupported"
            raise PermanentError(code, "the mail server takes only ASCII addresses")
        return b" BODY=8BITMIME SMTPUTF8"

    async def _refused(
        self, transaction: Transaction, phase: SmtpPhase, code: int, text: str
    ) -> Exception:
        if phase == "content" and code // 100 not in (4, 5):
            error = "smtp_protocol"
            return UncertainError(error, f"unexpected answer {code} to the content")
        if code == 421 and phase == "mail" and self._used:
            return StaleConnectionError()
        if code != 421 and transaction.next_transaction is None:
            await self._reset()
        return classify_reply(phase, code, text)

    async def _reset(self) -> None:
        # If this fails, the connection stays unsettled and is discarded.
        self._move_deadline(self._server.command_timeout)
        if await Exchange(self.wire, b"RSET\r\n").answer == 250:
            self._open -= 1

    def _lost(self, phase: SmtpPhase) -> Exception:
        """Return what a lost line, or an answer nobody can read, means at this point."""
        detail = f"{phase}: " + ("no answer in time" if self._timed_out else "line lost")
        code = "smtp_timeout" if self._timed_out else "smtp_lost"
        verdicts: dict[SmtpPhase, type[DeliveryError]] = {
            "content": UncertainError,
            "rcpt": TransientError,  # it may be this recipient that the server dies of
            "data": TransientError,
        }
        if phase == "mail" and self._used and not self._timed_out:
            return StaleConnectionError()
        return verdicts.get(phase, BlockedError)(code, detail)

    def _count_begun(self) -> None:
        self.users += 1
        self._open += 1

    def entered(self, phase: SmtpPhase) -> None:
        """Note that a transaction reached the next step."""
        last = phase == "content"
        self._move_deadline(self._server.reply_timeout if last else self._server.command_timeout)

    def _move_deadline(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds

    def _look_at_deadline(self) -> None:
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_later(self._tick, self._look_at_deadline)
        else:
            self._timed_out = self._open > 0
            self.discard()


NextWaiting = Callable[[SmtpConnection], Transaction | None]
"""Gives a connection the message that waits longest, if it may follow another one."""
