"""One message over one session: MAIL, RCPT, DATA, content, driven by the server's replies."""

import asyncio
from typing import Protocol

from channels.email.replies import SmtpPhase
from channels.email.wire import Wire
from pipeline.domain.errors import AbandonedError, BackpressureError
from pipeline.domain.models import Message
from pipeline.domain.ports import SendGuard

_PHASES: tuple[SmtpPhase, ...] = ("mail", "rcpt", "data", "content")
_NOBODY = b".\r\n"

SmtpAnswer = tuple[SmtpPhase, int, str]
Commands = tuple[bytes, bytes, bytes]


class StaleConnectionError(Exception):
    """The connection turned out to be dead before the message's turn; nothing of it was sent."""


class LineLostError(Exception):
    """The line broke, or a reply could not be read, while the answer to `phase` was awaited."""

    def __init__(self, phase: SmtpPhase) -> None:
        super().__init__(phase)
        self.phase = phase


class SmtpSession(Protocol):
    """The open session that a transaction is one of."""

    wire: Wire
    pipelining: bool

    def moved(self, phase: SmtpPhase) -> None:
        """Take note that a transaction came to this step, and now awaits its answer."""
        ...

    def follower(self) -> "Transaction | None":
        """Return a message that waits, told by `ride` that it is next; None if there is none."""
        ...


class Transaction:
    """
    Hands over one message; `answer` gets the reply that decided, or what the clearance raised.

    With pipelining (RFC 2920) the three commands leave together, and those of the next message,
    the `follower`, right behind this one's content: a message costs one journey instead of two.
    Either way the content leaves in the step that reads the go-ahead: nothing lies between the
    clearance and the write. Replies are `heard` once the message before has its answer.
    """

    def __init__(self, message: Message, send_guard: SendGuard) -> None:
        self.answer: asyncio.Future[SmtpAnswer] = asyncio.get_running_loop().create_future()
        self.message = message
        self.follower: Transaction | None = None
        self._content = _dotted(message.content)
        self._send_guard = send_guard
        self._at = 0
        self._refusal: SmtpAnswer | None = None
        self.heard = False
        self._waits = False

    def start(self, session: SmtpSession, commands: Commands) -> None:
        """Begin on a session that is free."""
        self.ride(session, commands)
        self.hear()
        session.wire.write(self.envelope if session.pipelining else commands[0])

    def ride(self, session: SmtpSession, commands: Commands) -> None:
        """Be the next of a session: `envelope` leaves behind the content of the one before."""
        self._session = session
        self._wire = session.wire
        self._commands = commands

    @property
    def envelope(self) -> bytes:
        return b"".join(self._commands)

    def hear(self) -> None:
        """Take the replies from now on."""
        self.heard = True
        self._session.moved("mail")
        self._wire.listen(self)

    def replied(self, code: int, text: str) -> None:
        if self.answer.done():  # cancelled: nothing more may leave
            return
        phase = _PHASES[self._at]
        if self._waits:  # the server has asked for the content and speaks again
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
            if not self.heard:
                self.answer.set_exception(StaleConnectionError())
            elif self._waits:
                # The server lost patience with us: that must not count against the recipient.
                self.answer.set_exception(AbandonedError("crowded"))
            elif self._refusal:
                self.answer.set_result(self._refusal)
            else:
                self.answer.set_exception(LineLostError(_PHASES[self._at]))
        if self.follower is not None:
            self.follower.lost()

    @property
    def _pipelining(self) -> bool:
        return self._session.pipelining

    def _unfinished(self, code: int) -> bool:
        """Return whether a refused transaction still has replies to come, or an end to write."""
        return _PHASES[self._at] != "data" or code == 354

    def _move_on(self) -> None:
        self._at += 1
        self._session.moved(_PHASES[self._at])
        if self._at < len(self._commands) and not self._pipelining:
            self._wire.write(self._commands[self._at])

    def _hand_over(self) -> None:
        if self._refusal:
            # The server wants content although it took no recipient (RFC 2920, section 3.1).
            self._move_on()
            self._wire.write(_NOBODY)
            return
        try:
            self._send_guard()
        except BackpressureError as error:
            self._waits = True
            error.room.add_done_callback(lambda _: self._ask_again())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._wire.listen(None)
            self.answer.set_exception(error)
        else:
            self._move_on()
            self.follower = self._session.follower() if self._pipelining else None
            ahead = b"" if self.follower is None else self.follower.envelope
            self._wire.write(self._content + ahead)

    def _ask_again(self) -> None:
        if not self.answer.done() and self._wire.connected:  # or else `lost` is on its way
            self._waits = False
            self._hand_over()

    def _settle(self, answer: SmtpAnswer) -> None:
        self._wire.listen(None)
        self.answer.set_result(answer)
        if self.follower is not None:
            # After any other answer than yes and no it is unclear what later ones answer.
            if is_final(answer):
                self.follower.hear()
            else:
                self.follower.lost()


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
