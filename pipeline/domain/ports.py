"""What the pipeline needs from the outside, named by its needs."""

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import DeliveryError
from pipeline.domain.models import (
    ChannelName,
    DeliveryKey,
    Message,
    Receipt,
    Recipient,
    ReturnPaths,
)

SendGuard = Callable[[], None]
"""
Called right before a start; raises AbandonedError when the right to start is gone.

Raises BackpressureError, if the channel has more `senders` than `connections`, when nothing may
start before earlier results are recorded.
"""


class Composer(Protocol):
    """The templates of one campaign, compiled for one channel; pure."""

    def compose(
        self,
        recipient: Recipient,
        link: str,
        key: DeliveryKey,
        *,
        sent_at: float,
        returns: ReturnPaths,
    ) -> Message:
        """
        Fill the templates for one recipient; `sent_at` is seconds since the epoch.

        Raises PermanentError if this recipient's data cannot be rendered or encoded.
        """
        ...


class Channel(Protocol):
    """One way to reach people; every adapter passes the same tests (CONTRIBUTING.md)."""

    name: ChannelName
    connections: int
    """How many messages may be on the wire at once in this process."""
    senders: int
    """How many may be handed to `send` at once; those beyond `connections` wait there."""

    def composer(self, campaign: Campaign) -> Composer:
        """Compile the campaign's templates; raises InputError if they cannot be used."""
        ...

    async def send(self, message: Message, send_guard: SendGuard) -> Receipt:
        """
        Hand one message to the provider and wait for its answer.

        `send_guard` is called immediately before the content leaves and what it raises passes
        through, with nothing sent. Raises a DeliveryError otherwise; nothing else, except
        CancelledError, which after the content left means "uncertain" to the caller.
        """
        ...

    async def check(self) -> str:
        """Connect and log in without sending; return a sentence on what was found (doctor)."""
        ...

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """A channel whose provider can be asked whether it has a message."""

    async def look_up(
        self, message: Message, *, not_before: float
    ) -> Receipt | DeliveryError | None:
        """
        Look for *message*, sent at *not_before* (seconds since the epoch) or later.

        Returns a Receipt if the provider has it, why it failed if it has failed, None if it is
        not there (yet). Raises TransientError or BlockedError if the question got no answer.
        """
        ...


SEARCHABLE: Final = frozenset({ChannelName.SMS})
"""The channels whose adapter is Searchable; `auto_resends.lua` says it to the ledger."""
