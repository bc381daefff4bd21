"""A channel that does what a test tells it to; small and real, with a memory of what it sent."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import BackpressureError
from pipeline.domain.models import (
    ChannelName,
    DeliveryKey,
    Message,
    Receipt,
    Recipient,
    ReturnPaths,
)
from pipeline.domain.ports import SendGuard

Answer = Exception | None


class PlainComposer:
    """The link is the message; `broken` recipients cannot be written to."""

    def __init__(self, broken: set[str]) -> None:
        self._broken = broken

    def compose(
        self,
        recipient: Recipient,
        link: str,
        key: DeliveryKey,
        *,
        sent_at: float,
        returns: ReturnPaths,
    ) -> Message:
        if recipient.id in self._broken:
            raise RuntimeError(link)
        return Message(key=key, to=recipient.email, content=link.encode())


@dataclass
class ScriptedChannel:
    """Answers what `answer` says about a message; `gate` holds messages on the wire back."""

    connections: int = 2
    senders: int = 0
    name: ChannelName = ChannelName.EMAIL
    sent: list[Message] = field(default_factory=list)
    answer: Callable[[Message], Answer] = lambda _: None
    broken: set[str] = field(default_factory=set)
    on_the_wire: int = 0
    most_on_the_wire: int = 0
    crowded: int = 0
    """How often the send guard said: not yet."""

    def __post_init__(self) -> None:
        self.senders = self.senders or self.connections
        self.gate = asyncio.Event()
        self.gate.set()

    def composer(self, campaign: Campaign) -> PlainComposer:
        return PlainComposer(self.broken)

    async def send(self, message: Message, send_guard: SendGuard) -> Receipt:
        self.on_the_wire += 1
        self.most_on_the_wire = max(self.most_on_the_wire, self.on_the_wire)
        try:
            await asyncio.sleep(0)  # others get on the wire as well
            await self.gate.wait()
            await self._cleared(send_guard)
            answer = self.answer(message)
            if answer is not None:
                raise answer
            self.sent.append(message)
            return Receipt(reference="x")
        finally:
            self.on_the_wire -= 1

    async def _cleared(self, send_guard: SendGuard) -> None:
        while True:
            try:
                return send_guard()
            except BackpressureError as error:
                self.crowded += 1
                await error.room

    async def check(self) -> str:
        return "It works."

    async def aclose(self) -> None:
        return None

    def received(self) -> dict[str, set[str]]:
        """Return every address with the links that it was sent."""
        found: dict[str, set[str]] = {}
        for message in self.sent:
            found.setdefault(message.to, set()).add(message.content.decode())
        return found

    def messages(self) -> Counter[str]:
        return Counter(message.to for message in self.sent)
