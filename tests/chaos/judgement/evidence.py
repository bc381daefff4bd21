"""The evidence that the judge looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ACCEPTED = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a campaign promises; `hold` are the channels over which nothing is sent again."""

    id: str
    people: int
    hold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    campaign: str
    id: str
    email: str = ""
    phone: str = ""

    @property
    def name(self) -> str:
        return f"{self.campaign}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    po: str
    quantity: int
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message that arrived, at `at` (seconds since the epoch)."""

    channel: str
    to: str
    links: tuple[str, ...]
    at: float
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of claimcast's own report."""

    campaign: str
    person: str
    channel: str
    status: str
    code: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An attempt that an observer saw begin; `accepted` if its sender got the answer."""

    by: str
    key: str
    at: float
    code: int | None
    forwarded: bool

    @property
    def accepted(self) -> bool:
        return self.forwarded and self.code in _ACCEPTED

    @property
    def channel(self) -> str:
        """The channel that `key` is an address of; empty for an order."""
        if "@" in self.key:
            return "email"
        return "sms" if self.key.startswith("+") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """`by` was stopped from `start` to `end` (seconds since the epoch), and then went on."""

    by: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """From `start` to `end` results could be lost: of `by`, or of everybody if it is empty."""

    by: str
    start: float
    end: float
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    campaigns: Mapping[str, Rules]
    people: Sequence[Person]
    orders: Sequence[Order]
    arrivals: Sequence[Arrival]
    lines: Sequence[Line]
    starts: Sequence[Start] = ()
    freezes: Sequence[Freeze] = ()
    troubles: Sequence[Trouble] = ()
