"""What this process counts, as plain numbers in memory; `store/fleet` adds them to the fleet's."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName, FactKind

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the stages' durations in s; a stage works for about 20 s at most."""

ReadCause = Literal["poll", "webhook"]
Amounts = Mapping[str, int | float]


class Measurements:
    """
    Counts what happened, at the cost of a dictionary entry each: no call, no task.

    A name is a family and its labels, joined by `|`. Labels are words of this program, never of a
    campaign or a person, so there are few names. Integers count, floats are seconds.
    """

    def __init__(self) -> None:
        self._amounts: defaultdict[str, int | float] = defaultdict(int)

    def attempt(self, channel: ChannelName, kind: FactKind) -> None:
        """Count an attempt whose result is recorded."""
        self._amounts[f"attempts|{channel}|{result_of(kind)}"] += 1

    def stage(self, lane: Lane, seconds: float) -> None:
        """Count a piece of work on one batch, and how long it took."""
        at = bisect_left(BUCKETS, seconds)
        bound = str(BUCKETS[at]) if at < len(BUCKETS) else "+Inf"
        self._amounts[f"stage|{lane}|{bound}"] += 1
        self._amounts[f"stage_seconds|{lane}"] += float(seconds)

    def permits(self, limit: str, granted: int, wait: float) -> None:
        """Count permits that were given, or the seconds until one will be."""
        self._amounts[f"permits|{limit}"] += granted
        self._amounts[f"permits_seconds|{limit}"] += float(wait)

    def order_read(self, cause: ReadCause) -> None:
        """Count a further read of an order that was unfinished at the last one."""
        self._amounts[f"reads|{cause}"] += 1

    def drain(self) -> Amounts:
        """Return what was counted since the last call, and reset the counts."""
        drained, self._amounts = self._amounts, defaultdict(int)
        return {name: amount for name, amount in drained.items() if amount}

    def put_back(self, drained: Amounts) -> None:
        """Count *drained* again, as it could not be passed on: the next `drain` returns it too."""
        for name, amount in drained.items():
            self._amounts[name] += amount


def result_of(kind: FactKind) -> str:
    """Return the word that an attempt's result is counted by."""
    return "failed" if kind is FactKind.FAILED_OUTRIGHT else kind.value
