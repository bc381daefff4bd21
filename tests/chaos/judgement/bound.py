"""
How many repeats can be explained: each needs a cause, and none explains more than its share.

A message is repeated rightly only if nobody could know that it had arrived: its answer was kept
back, or the worker that got it could not write it down.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.judgement.evidence import Evidence, Person, Start, Trouble

SWALLOWED = "swallow"
LOST = "answer lost"
MARGIN = 1.0
"""Seconds before a trouble: so long a message may take, on a slow line, until it is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A message that a person already had: same channel; `before` and `again` are times."""

    person: Person
    channel: str
    before: float
    again: float

    @property
    def address(self) -> str:
        return self.person.email if self.channel == "email" else self.person.phone


@dataclass(slots=True, kw_only=True)
class Cause:
    """
    Why messages over one channel may be repeated, `most` of them at most.

    A trouble of one worker, with what it had on the wire just then; or a single answer that did
    not come. `repeats` are those that it has to answer for.
    """

    kind: str
    by: str
    channel: str
    start: float
    most: int
    attempts: Sequence[Start] = field(repr=False)
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`beyond` are the repeats that no cause is left for."""

    causes: Sequence[Cause]
    beyond: Sequence[Repeat]

    @property
    def allowed(self) -> int:
        return sum(cause.most for cause in self.causes)


def explain(
    repeats: Iterable[Repeat], evidence: Evidence, connections: int, margin: float = MARGIN
) -> Explanation:
    """
    Put each repeat down to the cause that is nearest in time to the message before it.

    A worker in trouble explains twice its *connections* per channel (what is on the wire, and as
    much again on its way into the ledger), but never more than it had really sent just then.
    """
    starts: defaultdict[str, list[Start]] = defaultdict(list)
    for start in sorted(evidence.starts, key=lambda each: each.at):
        starts[start.key].append(start)
    causes = list(_causes(evidence, 2 * connections, margin))
    by_attempt: defaultdict[int, list[Cause]] = defaultdict(list)
    for cause in causes:
        for attempt in cause.attempts:
            by_attempt[id(attempt)].append(cause)
    beyond = []
    for repeat in repeats:
        sent = [each for each in starts[repeat.address] if each.at <= repeat.before]
        found = by_attempt[id(sent[-1])] if sent else []
        free = [cause for cause in found if cause.repeats < cause.most]
        if free:
            min(free, key=lambda cause: _rank(cause, repeat.before)).repeats += 1
        else:
            beyond.append(repeat)
    return Explanation(causes=causes, beyond=beyond)


def _rank(cause: Cause, at: float) -> tuple[bool, bool, float]:
    """What was kept back on purpose is known for certain; of a mere loss the trouble is why."""
    return cause.kind != SWALLOWED, cause.kind == LOST, abs(cause.start - at)


def _causes(evidence: Evidence, most: int, margin: float) -> Iterator[Cause]:
    messages = [start for start in evidence.starts if start.channel]
    troubled: set[int] = set()
    for trouble in evidence.troubles:
        for (by, channel), attempts in _in_flight(messages, trouble, margin).items():
            if trouble.by:
                troubled.update(map(id, attempts))
            yield Cause(
                kind=trouble.kind,
                by=by,
                channel=channel,
                start=trouble.start,
                most=min(most, len(attempts)),
                attempts=attempts,
            )
    for start in messages:
        swallowed = start.code is not None and not start.forwarded
        if swallowed or (not start.accepted and id(start) not in troubled):
            kind = SWALLOWED if swallowed else LOST
            yield Cause(
                kind=kind,
                by=start.by,
                channel=start.channel,
                start=start.at,
                most=1,
                attempts=[start],
            )


def _in_flight(
    messages: Iterable[Start], trouble: Trouble, margin: float
) -> dict[tuple[str, str], Sequence[Start]]:
    """Return what each worker that is concerned had begun, by channel."""
    found: defaultdict[tuple[str, str], list[Start]] = defaultdict(list)
    for start in messages:
        ours = trouble.by in {"", start.by}
        if ours and trouble.start - margin <= start.at <= trouble.end:
            found[start.by, start.channel].append(start)
    return dict(found)


def repeats_by_kind(causes: Iterable[Cause]) -> Counter[str]:
    """Count the repeats by the kind of their cause."""
    found: Counter[str] = Counter()
    for cause in causes:
        found[cause.kind] += cause.repeats
    return found


def most_at_once(causes: Iterable[Cause]) -> dict[str, tuple[int, int]]:
    """Return, by kind, the most repeats that one worker's trouble led to, and its share then."""
    worst: dict[str, tuple[int, int]] = {}
    for cause in causes:
        if cause.repeats:
            worst[cause.kind] = max(worst.get(cause.kind, (0, 0)), (cause.repeats, cause.most))
    return worst
