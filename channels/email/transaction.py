"""One message over one session: MAIL, RCPT, DATA, content, driven by the server's replies."""

import asyncio
from typing import Protocol

from channels.email.replies import SmtpPhase
from channels.email.wire import Wire
from pipeline.domain.errors import AbandonedError, BackpressureError
from pipeline.domain.models import Message
from pipeline.domain.ports import SendGuard

_PHASES: tuple[SmtpPhase, ...] = ("mail", "rcpt", "data", "content")
_EMPTY_CONTENT = b".\r\n"

SmtpAnswer = tuple[SmtpPhase, int, str]
Commands = tuple[bytes, bytes, bytes]


class StaleConnectionError(Exception):
    """The connection was dead before the message began; nothing of it was sent."""


class LineLostError(Exception):
    """The line broke, or a reply could not be read, while the answer to `phase` was awaited."""

    def __init__(self, phase: SmtpPhase) -> None:
        super().__init__(phase)
        self.phase = phase


class SmtpSession(Protocol):
    """The open session that a transaction is one of."""

    wire: Wire
    pipelining: bool

    def entered(self, phase: SmtpPhase) -> None:
        """Note that a transaction reached this step, and now awaits its answer."""
        ...

    def next_transaction(self) -> "Transaction | None":
        """Return the waiting message that is next, bound by `bind`; None if there is none."""
        ...


class Transaction:
    """
    Hands over one message; `answer` gets the reply that decided, or what the send guard raised.

    With pipelining (RFC 2920) the three commands leave together, and those of the next transaction
    right behind this one's content: a message costs one journey instead of two. Either way the
    content leaves in the step that reads the go-ahead: nothing lies between the send guard and the
    write. A transaction is `listening` once the one before it has its answer.
    """

    def __init__(self, message: Message, send_guard: SendGuard) -> None:
        self.answer: asyncio.Future[SmtpAnswer] = asyncio.get_running_loop().create_future()
        self.message = message
        self.next_transaction: Transaction | None = None
        self._content = _dotted(message.content)
        self._send_guard = send_guard
        self._phase_index = 0
        self._refusal: SmtpAnswer | None = None
        self.listening = False
        self._awaits_room = False

    def start(self, session: SmtpSession, commands: Commands) -> None:
        """Begin on a session that is free."""
        self.bind(session, commands)
        self.start_listening()
        session.wire.write(self.envelope if session.pipelining else commands[0])

    def bind(self, session: SmtpSession, commands: Commands) -> None:
        """Join a session that sends `envelope` behind the content of the transaction before."""
        self._session = session
        self._wire = session.wire
        self._commands = commands

    @property
    def envelope(self) -> bytes:
        return b"".join(self._commands)

    def start_listening(self) -> None:
        """Take the replies from now on."""
        self.listening = True
        self._session.entered("mail")
        self._wire.listen(self)

    def replied(self, code: int, text: str) -> None:
        if self.answer.done():  # cancelled: nothing more may leave
            return
        phase = _PHASES[self._phase_index]
        if self._awaits_room:  # the server has asked for the content and speaks again
            self._wire.listen(None)
            self.lost()
            return
        if phase == "content":
            self._settle(self._refusal or (phase, code, text))
            return
        accepted = code // 100 == (3 if phase == "data" else 2)
        if not accepted and self._refusal is None:
            self._refusal = (phase, code, text)
        if code == 421 or (self._refusal and not (self._pipelining and self._unfinished(code))):
            self._settle(self._refusal or (phase, code, text))
        elif phase == "data":
            self._hand_over()
        else:
            self._move_on()

    def lost(self) -> None:
        if not self.answer.done():
            if not self.listening:
                self.answer.set_exception(StaleConnectionError())
            elif self._awaits_room:
                # The server lost patience with us: that must not count against the recipient.
                self.answer.set_exception(AbandonedError("crowded"))
            elif self._refusal:
                self.answer.set_result(self._refusal)
            else:
                self.answer.set_exception(LineLostError(_PHASES[self._phase_index]))
        if self.next_transaction is not None:
            self.next_transaction.lost()

    @property
    def _pipelining(self) -> bool:
        return self._session.pipelining

    def _unfinished(self, code: int) -> bool:
        """Return whether a refused transaction still has replies to come, or an end to write."""
        return _PHASES[self._phase_index] != "data" or code == 354

    def _move_on(self) -> None:
        self._phase_index += 1
        self._session.entered(_PHASES[self._phase_index])
        if self._phase_index < len(self._commands) and not self._pipelining:
            self._wire.write(self._commands[self._phase_index])

    def _hand_over(self) -> None:
        if self._refusal:
            # The server wants content although it took no recipient (RFC 2920, section 3.1).
            self._move_on()
            self._wire.write(_EMPTY_CONTENT)
            return
        try:
            self._send_guard()
        except BackpressureError as error:
            self._awaits_room = True
            error.room.add_done_callback(lambda _: self._ask_again())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._wire.listen(None)
            self.answer.set_exception(error)
        else:
            self._move_on()
            self.next_transaction = self._session.next_transaction() if self._pipelining else None
            ahead = b"" if self.next_transaction is None else self.next_transaction.envelope
            self._wire.write(self._content + ahead)

    def _ask_again(self) -> None:
        if not self.answer.done() and self._wire.connected:  # or else `lost` is on its way
            self._awaits_room = False
            self._hand_over()

    def _settle(self, answer: SmtpAnswer) -> None:
        self._wire.listen(None)
        self.answer.set_result(answer)
        if self.next_transaction is not None:
            # After any other answer than yes and no it is unclear what later ones answer.
            if is_final(answer):
                self.next_transaction.start_listening()
            else:
                self.next_transaction.lost()


def is_final(answer: SmtpAnswer) -> bool:
    """Return whether the server took or refused the content, and goes on with the next command."""
    phase, code, _ = answer
    return phase == "content" and code // 100 in (2, 4, 5) and code != 421


class Exchange:
    """One command and its reply."""

    def __init__(self, wire: Wire, command: bytes) -> None:
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._wire = wire
        wire.listen(self)
        wire.write(command)

    def replied(self, code: int, text: str) -> None:  # noqa: ARG002 - only the code counts here
        self._wire.listen(None)
        if not self.answer.done():
            self.answer.set_result(code)

    def lost(self) -> None:
        if not self.answer.done():
            self.answer.set_result(0)


def _dotted(content: bytes) -> bytes:
    """Return *content* as it goes on the wire, with its end: RFC 5321, section 4.5.2."""
    content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")
