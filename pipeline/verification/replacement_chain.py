"""Checks that the batches of a replaced order name each other; pure."""

from collections.abc import Iterator

from pipeline.verification.batch_invariants import Violation
from pipeline.views.batch_view import BatchView


class ReplacementChain:
    """
    Collects what batches say of the batches that replace them, in any order of batches.

    `given_up` counts the links that dead orders did not give and that were ordered again.
    """

    def __init__(self) -> None:
        self.given_up = 0
        self._left: dict[int, tuple[int, int]] = {}
        self._came: dict[int, tuple[int, int]] = {}

    def add(self, entry: BatchView) -> None:
        """Add one batch; call once for each batch of the campaign."""
        batch = entry.batch
        if batch.replacement.into:
            self._left[batch.replacement.into] = (entry.number, batch.quantity - batch.size)
            self.given_up += batch.order.missing
        if batch.replacement.origin:
            self._came[entry.number] = (batch.replacement.origin, batch.quantity)

    def violations(self) -> Iterator[Violation]:
        """Yield each batch that does not hold exactly the people moved to it."""
        for number in sorted(self._left.keys() | self._came.keys()):
            left, came = self._left.get(number), self._came.get(number)
            if left != came:
                found = f"moved here: {_moved(left)}, arrived: {_moved(came)}"
                yield Violation(1, "reorder", number, found)


def _moved(people: tuple[int, int] | None) -> str:
    return "nobody" if people is None else f"{people[1]} people of batch {people[0]}"
