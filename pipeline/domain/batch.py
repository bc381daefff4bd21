"""A batch: up to 100 recipients, the unit of ordering, of queueing and of leasing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.domain.models import BatchState


class Lane(StrEnum):
    """The due index that a batch is in."""

    ORDER = "order"
    READ = "read"
    SEND = "send"
    HELD = "held"


WORKED_LANES = (Lane.ORDER, Lane.READ, Lane.SEND)
"""Those that workers run, in the order in which a batch passes them."""


class WaitCounter(StrEnum):
    """Why a batch was put off: later delays grow with the number of times."""

    POLLS = "polls"
    """Its order was read, and is not finished."""
    FAILS = "fails"
    """A call failed."""
    ODD = "odd"
    """The API showed what cannot be, and may correct it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One dispatch of one batch; a later dispatch number makes an earlier one void."""

    serial: str
    batch: int
    lane: Lane
    dispatch_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOrder:
    """
    The order of a batch at the rewards API; times are ms since the epoch, 0 for never.

    It is `interrupted` while no result of its last POST is recorded. `polls`, `fails` and `odd`
    count how often in a row it was read unfinished, could not be read, or showed what cannot be.
    `adopt` says that an operator accepts the order that was found under its PO number as ours.
    """

    po_number: str | None = None
    payload_hash: str | None = None
    posts: int = 0
    interrupted: bool = False
    id: str | None = None
    first_post_ms: int = 0
    placed_ms: int = 0
    adopt: bool = False
    missing: int = 0
    polls: int = 0
    fails: int = 0
    odd: int = 0
    odd_since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLease:
    """
    Who works on a batch: `dispatch_number` counts its dispatches, `leased` says that one has it.

    It was `woken` if the rewards API said that its order is complete. `deaths` are the workers in
    a row that died while they had it: in which lane, and when that was noticed.
    """

    dispatch_number: int = 0
    leased: bool = False
    woken: bool = False
    deaths: tuple[tuple[Lane, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReplacement:
    """
    How a dead order was replaced.

    `into` is the batch that took over people of this one, `origin` the batch that its own people
    came from, `dead` the reason that it was held for, `ordered_for` its people before the others
    were moved away.
    """

    into: int = 0
    origin: int = 0
    dead: str | None = None
    at_ms: int = 0
    ordered_for: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHold:
    """Why a batch is held (`reason`), and since when; the time outlasts the hold."""

    reason: str | None = None
    since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    What the ledger knows of a batch; times are ms since the epoch, 0 for never.

    `plan` holds a character per recipient: which channels reach them. `note` is why a batch was
    cancelled, `spare` says that it was cancelled before its links came, and `erased` who was
    erased: index, and when.
    """

    state: BatchState
    plan: str
    fulfilled_ms: int = 0
    note: str | None = None
    spare: bool = False
    erased: Mapping[int, int] = field(default_factory=dict)
    order: BatchOrder = BatchOrder()
    lease: BatchLease = BatchLease()
    replacement: BatchReplacement = BatchReplacement()
    hold: BatchHold = BatchHold()

    @property
    def size(self) -> int:
        return len(self.plan)

    @property
    def quantity(self) -> int:
        """Return what its order is for: more than its people, once some were moved away."""
        return self.replacement.ordered_for or self.size
