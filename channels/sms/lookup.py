"""Finding a message among those that Twilio lists for its recipient."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

CLOCK_TOLERANCE = timedelta(seconds=60)
"""How much earlier than our intent Twilio may date the message: clocks differ."""


class Listed(Protocol):
    """What of a listed message counts here; the SDK gives text where it cannot read a date."""

    @property
    def body(self) -> Any: ...  # noqa: ANN401 - the SDK passes on what the answer held
    @property
    def date_created(self) -> Any: ...  # noqa: ANN401 - see above


L = TypeVar("L", bound=Listed)


def newest(listed: Iterable[L], link: str, *, not_before: float) -> L | None:
    """
    Return the latest of *listed* that holds *link*, or None.

    Older ones than *not_before* (seconds since the epoch) are of an earlier attempt. `date_sent`
    is not looked at, as a queued message has none.
    """
    earliest = datetime.fromtimestamp(not_before, UTC) - CLOCK_TOLERANCE
    matches = [
        message
        for message in listed
        if link in (message.body or "")
        and isinstance(message.date_created, datetime)
        and message.date_created >= earliest
    ]
    return max(matches, key=lambda message: message.date_created, default=None)
