"""A batch: up to 100 recipients, the unit of ordering, of queueing and of leasing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.domain.models import BatchState


class Lane(StrEnum):
    """The due index that a batch stands in."""

    ORDER = "o"
    READ = "r"
    SEND = "s"
    HELD = "h"


@dataclass(frozen=True, slots=True)
class Unit:
    """One dispatch of one batch; a later turn makes an earlier one void."""

    serial: str
    batch: int
    lane: Lane
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    What the ledger knows of a batch; times are ms since the epoch, 0 for never.

    `reorder` tells how a dead order was ended: `into` is the batch that took over people of this
    one, `origin` the batch that its own people came from, `dead` why it had been held. An order is
    `interrupted` while nothing is recorded of what became of its last POST.
    """

    state: BatchState
    plan: str
    po_number: str | None = None
    payload_hash: str | None = None
    posts: int = 0
    interrupted: bool = False
    order_id: str | None = None
    first_post_ms: int = 0
    placed_ms: int = 0
    fulfilled_ms: int = 0
    held_ms: int = 0
    reason: str | None = None
    note: str | None = None
    adopt: bool = False
    spare: bool = False
    missing: int = 0
    polls: int = 0
    fails: int = 0
    odd: int = 0
    odd_since_ms: int = 0
    turn: int = 0
    leased: bool = False
    ordered_for: int = 0
    reordered_ms: int = 0
    dead: str | None = None
    into: int = 0
    origin: int = 0
    woken: bool = False
    deaths: tuple[tuple[Lane, int], ...] = ()
    """Workers that died in a row while they had it: doing what, and when that was noticed."""
    forgotten: Mapping[int, int] = field(default_factory=dict)
    """Who was removed on request: index, and when."""

    @property
    def size(self) -> int:
        return len(self.plan)

    @property
    def quantity(self) -> int:
        """Return what its order is for: more than its people, once some were moved away."""
        return self.ordered_for or self.size

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> "Batch":
        def number(name: str) -> int:
            return int(fields.get(name, 0))

        return cls(
            state=BatchState(fields["st"]),
            plan=fields["plan"],
            po_number=fields.get("po"),
            payload_hash=fields.get("ph"),
            posts=number("posts"),
            interrupted="post" in fields,
            order_id=fields.get("oid"),
            first_post_ms=number("to"),
            placed_ms=number("tp"),
            fulfilled_ms=number("tf"),
            held_ms=number("th"),
            reason=fields.get("why"),
            note=fields.get("note"),
            adopt=fields.get("adopt") == "1",
            spare=fields.get("spare") == "1",
            missing=number("missing"),
            polls=number("polls"),
            fails=number("fails"),
            odd=number("odd"),
            odd_since_ms=number("odd:at"),
            turn=number("turn"),
            leased="tok" in fields,
            ordered_for=number("qty"),
            reordered_ms=number("tr"),
            dead=fields.get("dead"),
            into=number("into"),
            origin=number("from"),
            woken="woken" in fields,
            deaths=tuple(
                (Lane(died[0]), int(died[1:])) for died in fields.get("died", "").split()
            ),
            forgotten=_forgotten(fields.get("gone", "")),
        )


def _forgotten(text: str) -> dict[int, int]:
    pairs = (pair.partition(":") for pair in text.split())
    return {int(index): int(at) for index, _, at in pairs}
