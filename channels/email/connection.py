"""One SMTP session: one message after the other, and exact knowledge of what left."""

import asyncio

from aiosmtplib import SMTP

from channels.email.address import is_wire_form
from channels.email.replies import Phase, classify
from channels.email.server import SmtpServer
from channels.email.transaction import Exchange, LineLostError, Transaction
from channels.email.wire import Wire, transport_of
from pipeline.errors import (
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.models import Message
from pipeline.ports import Clearance

_TICK = 1.0  # seconds: how exact the deadlines are


class StaleConnectionError(Exception):
    """A connection from the pool turned out to be dead; certainly nothing was sent."""


class Connection:
    """
    An open, logged-in session, used by one task at a time.

    `usable` is false from the start of a transaction until it ended in a known state. There is
    one deadline, moved on by every step, and one timer that looks at it: time-outs and the end of
    idleness cost a message nothing.
    """

    def __init__(self, client: SMTP, server: SmtpServer, sender: str) -> None:
        if client.transport is None:
            # The server hung up between its last answer and now.
            code = "smtp_connect"
            raise BlockedError(code, "the server closed the connection")
        self._client = client
        self._wire = Wire(transport_of(client.transport))
        self._server = server
        self._mail = b"MAIL FROM:<%b>" % sender.encode("ascii")
        self._pipelining = client.supports_extension("pipelining")
        self._loop = asyncio.get_running_loop()
        self._tick = min(_TICK, server.idle_timeout, server.command_timeout, server.reply_timeout)
        self._timed_out = False
        self._settled = True
        self._rested = False
        self.sent = 0
        self._move_deadline(server.idle_timeout)
        self._timer = self._loop.call_later(self._tick, self._look_at_deadline)

    @property
    def usable(self) -> bool:
        worn = self.sent >= self._server.messages_per_connection
        return self._settled and not worn and self._wire.clear and self._wire.connected

    async def transact(self, message: Message, clearance: Clearance) -> str:
        """
        Hand over one message; return the server's words about it.

        Raises StaleConnectionError if this connection was used before and the line is dead,
        otherwise what `Channel.send` raises.
        """
        commands = self._envelope(message)
        self._settled = False
        transaction = Transaction(
            self._wire, commands, _dotted(message.content), clearance, self._moved
        )
        transaction.start(pipelining=self._pipelining)
        try:
            phase, code, text = await transaction.answer
        except LineLostError as error:
            raise self._lost(error.phase) from None
        return await self._judge(phase, code, text)

    def describe(self) -> str:
        """Return in words which addresses the server takes."""
        international = self._client.supports_extension("smtputf8")
        return f"addresses in {'any script' if international else 'ASCII only'}"

    def rest(self) -> None:
        """Start to be idle."""
        self._rested = True
        self._move_deadline(self._server.idle_timeout)

    def discard(self) -> None:
        """Close without waiting: with a farewell if that can't be taken for message content."""
        self._timer.cancel()
        if self._settled:
            self._wire.write(b"QUIT\r\n")
            self._wire.close()
        else:
            self._wire.abort()
        self._client.close()

    async def quit(self) -> None:
        """Say farewell and wait for the answer, but not for long."""
        self._timer.cancel()
        farewell = Exchange(self._wire, b"QUIT\r\n").answer
        await asyncio.wait([farewell], timeout=min(2.0, self._server.command_timeout))
        self._wire.close()
        self._client.close()

    def _envelope(self, message: Message) -> tuple[bytes, bytes, bytes]:
        to = message.to
        if not is_wire_form(to):
            code = "bad_address"
            raise PermanentError(code, "the address cannot stand in an SMTP command")
        mail = b"MAIL FROM:<%b>" % message.sender.encode() if message.sender else self._mail
        if not to.isascii():
            mail += self._international()
        return mail + b"\r\n", b"RCPT TO:<%b>\r\n" % to.encode(), b"DATA\r\n"

    def _international(self) -> bytes:
        # RFC 6531, section 3.2: who offers SMTPUTF8 takes 8BITMIME as well.
        if not self._client.supports_extension("smtputf8"):
            code = "smtputf8_unsupported"
            raise PermanentError(code, "the mail server takes only ASCII addresses")
        return b" BODY=8BITMIME SMTPUTF8"

    async def _judge(self, phase: Phase, code: int, text: str) -> str:
        if phase == "content" and code // 100 == 2:
            self._settled = True
            self.sent += 1
            return text
        if phase == "content" and code // 100 not in (4, 5):
            error = "smtp_protocol"
            raise UncertainError(error, f"unexpected answer {code} to the content")
        raise await self._refused(phase, code, text)

    async def _refused(self, phase: Phase, code: int, text: str) -> Exception:
        if code == 421 and phase == "mail" and self._rested:
            return StaleConnectionError()
        if code != 421:
            await self._reset()
        return classify(phase, code, text)

    async def _reset(self) -> None:
        # If this fails, the connection stays unsettled and is discarded.
        self._move_deadline(self._server.command_timeout)
        self._settled = await Exchange(self._wire, b"RSET\r\n").answer == 250

    def _lost(self, phase: Phase) -> Exception:
        """Return what a lost line, or an answer nobody can read, means at this point."""
        detail = f"{phase}: " + ("no answer in time" if self._timed_out else "line lost")
        code = "smtp_timeout" if self._timed_out else "smtp_lost"
        verdicts: dict[Phase, type[DeliveryError]] = {
            "content": UncertainError,
            "rcpt": TransientError,  # it may be this recipient that the server dies of
            "data": TransientError,
        }
        if phase == "mail" and self._rested and not self._timed_out:
            return StaleConnectionError()
        return verdicts.get(phase, BlockedError)(code, detail)

    def _moved(self, phase: Phase) -> None:
        """Take note that a transaction came to the next step."""
        last = phase == "content"
        self._move_deadline(self._server.reply_timeout if last else self._server.command_timeout)

    def _move_deadline(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds

    def _look_at_deadline(self) -> None:
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_later(self._tick, self._look_at_deadline)
        else:
            self._timed_out = not self._settled
            self.discard()


def _dotted(content: bytes) -> bytes:
    """Return *content* as it goes on the wire, with its end: RFC 5321, section 4.5.2."""
    content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")
