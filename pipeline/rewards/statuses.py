"""What the status of an order means for us."""

from collections.abc import Collection
from enum import Enum, auto

_WAITING = frozenset(
    {
        "accepted",
        "created",
        "executing",
        "fulfilling",
        "inprocess",
        "inprogress",
        "new",
        "open",
        "pending",
        "placed",
        "processing",
        "queued",
        "received",
        "running",
        "scheduled",
        "started",
        "submitted",
        "waiting",
    }
)


class OrderProgress(Enum):
    """What the stages do about an order."""

    COMPLETED = auto()
    FAILED = auto()
    WAITING = auto()
    UNKNOWN = auto()
    """An unknown word: the order counts as pending, and an operator is told."""


def order_progress(
    status: str | None, completed: Collection[str], failed: Collection[str]
) -> OrderProgress:
    """
    Return what *status* means; letter case, spaces, `-` and `_` do not matter.

    *completed* and *failed* are settings and win over the words known here. A word in both
    means nothing certain, so it is unknown.
    """
    word = _bare(status or "")
    ended = word in {_bare(each) for each in completed}
    died = word in {_bare(each) for each in failed}
    if not word or (ended and died):
        return OrderProgress.UNKNOWN
    if ended or died:
        return OrderProgress.COMPLETED if ended else OrderProgress.FAILED
    return OrderProgress.WAITING if word in _WAITING else OrderProgress.UNKNOWN


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
