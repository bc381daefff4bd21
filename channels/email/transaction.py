"""One message over one session: MAIL, RCPT, DATA, content, driven by the server's replies."""

import asyncio
from collections.abc import Callable

from channels.email.replies import Phase
from channels.email.wire import Wire
from pipeline.ports import Clearance

_PHASES: tuple[Phase, ...] = ("mail", "rcpt", "data", "content")
_NOBODY = b".\r\n"

Answer = tuple[Phase, int, str]


class LineLostError(Exception):
    """The line broke, or a reply could not be read, while the answer to `phase` was awaited."""

    def __init__(self, phase: Phase) -> None:
        super().__init__(phase)
        self.phase = phase


class Transaction:
    """
    Hands over one message; `answer` gets the reply that decided, or what the clearance raised.

    With *pipelining* (RFC 2920) the three commands leave together. Either way the content leaves
    in the step that reads the go-ahead: nothing lies between the clearance and the write.
    """

    def __init__(
        self,
        wire: Wire,
        commands: tuple[bytes, bytes, bytes],
        content: bytes,
        clearance: Clearance,
        moved: Callable[[Phase], None],
    ) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._wire = wire
        self._commands = commands
        self._content = content
        self._clearance = clearance
        self._moved = moved
        self._at = 0
        self._refusal: Answer | None = None
        self._pipelining = False

    def start(self, *, pipelining: bool) -> None:
        self._pipelining = pipelining
        self._moved("mail")
        self._wire.listen(self)
        self._wire.write(b"".join(self._commands) if pipelining else self._commands[0])

    def replied(self, code: int, text: str) -> None:
        if self.answer.done():  # cancelled: nothing more may leave
            return
        phase = _PHASES[self._at]
        if phase == "content":
            self._settle(self._refusal or (phase, code, text))
            return
        accepted = code // 100 == (3 if phase == "data" else 2)
        if not accepted and self._refusal is None:
            self._refusal = (phase, code, text)
        if code == 421 or (self._refusal and not (self._pipelining and self._unfinished(code))):
            self._settle(self._refusal or (phase, code, text))
            return
        self._at += 1
        self._go_on(_PHASES[self._at])

    def lost(self) -> None:
        if not self.answer.done():
            if self._refusal:
                self.answer.set_result(self._refusal)
            else:
                self.answer.set_exception(LineLostError(_PHASES[self._at]))

    def _unfinished(self, code: int) -> bool:
        """Return whether a refused transaction still has replies to come, or an end to write."""
        return _PHASES[self._at] != "data" or code == 354

    def _go_on(self, phase: Phase) -> None:
        self._moved(phase)
        if phase == "content":
            self._hand_over()
        elif not self._pipelining:
            self._wire.write(self._commands[self._at])

    def _hand_over(self) -> None:
        if self._refusal:
            # The server wants content although it took no recipient (RFC 2920, section 3.1).
            self._wire.write(_NOBODY)
            return
        try:
            self._clearance()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._wire.listen(None)
            self.answer.set_exception(error)
        else:
            self._wire.write(self._content)

    def _settle(self, answer: Answer) -> None:
        self._wire.listen(None)
        self.answer.set_result(answer)


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
