"""
The judge: what became of the money, by the evidence of the outside alone.

It knows nothing of how claimcast works. It compares what was ordered (the provider's account),
what arrived (the mails, the text messages), who should have got something (the lists), and what
claimcast says of those who did not (its reports).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import ceil

from tests.chaos.judgement.bound import MARGIN, Explanation, Repeat, explain
from tests.chaos.judgement.evidence import Arrival, Evidence, Line, Person, Start

_UNREACHED = frozenset({"uncertain", "failed", "bounced", "suppressed"})
_CLAIMS = frozenset({"sent", "delivered"})
_BATCH = 100


class Violation(StrEnum):
    """What must never happen; the first five are the promise of the whole thing."""

    ORDER_DOUBLED = "orders doubled"
    LINK_LOST = "links lost"
    LINK_SHARED = "links given to two people"
    TWO_LINKS = "people with two different links"
    PERSON_LOST = "people neither reached nor listed"
    FALSE_CLAIM = "reported as sent, but nothing arrived"
    HELD_REPEATED = 'repeats where on_uncertain = "hold"'
    NEW_IDENTITY = "repeats with another Message-ID"
    UNKNOWN = "messages or links from nowhere"
    ZOMBIE = "started after it was taken over"
    TOO_MANY_REPEATS = "repeats beyond the bound"
    NOT_CLEAN = "campaigns that `verify` finds fault with"


@dataclass(frozen=True, slots=True)
class Finding:
    violation: Violation
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    findings: Sequence[Finding]
    repeats: Sequence[Repeat]
    explanation: Explanation
    uncertain: int
    counts: Mapping[str, int] = field(default_factory=dict)

    def count(self, violation: Violation) -> int:
        return sum(1 for finding in self.findings if finding.violation is violation)


def judge(evidence: Evidence, *, connections: int, margin: float = MARGIN) -> Verdict:
    """
    Return everything that is wrong; a worker has that many *connections* per channel.

    A message may take *margin* seconds until it is recorded.
    """
    by_person = _EvidenceByPerson(evidence)
    repeats = list(by_person.repeats())
    explanation = explain(repeats, evidence, connections, margin)
    findings = [
        *by_person.orders(),
        *by_person.links(),
        *by_person.identities(),
        *by_person.losses(),
        *by_person.claims(),
        *by_person.held(repeats),
        *by_person.zombies(),
        *(_beyond(repeat) for repeat in explanation.beyond),
    ]
    return Verdict(
        findings=findings,
        repeats=repeats,
        explanation=explanation,
        uncertain=sum(line.status == "uncertain" for line in evidence.lines),
        counts=by_person.counts(),
    )


class _EvidenceByPerson:
    """The evidence, laid out by person."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._owners = {
            (channel, address): person
            for person in evidence.people
            for channel, address in (("email", person.email), ("sms", person.phone))
            if address
        }
        self._arrivals: defaultdict[Person, list[Arrival]] = defaultdict(list)
        self._unknown: list[Arrival] = []
        for arrival in sorted(evidence.arrivals, key=lambda each: each.at):
            owner = self._owners.get((arrival.channel, arrival.to))
            if owner is None:
                self._unknown.append(arrival)
            else:
                self._arrivals[owner].append(arrival)
        self._lines: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
        for line in evidence.lines:
            self._lines[line.campaign, line.person].append(line)

    def counts(self) -> dict[str, int]:
        statuses = Counter(line.status for line in self._evidence.lines)
        return {
            "people": len(self._evidence.people),
            "people reached": len(self._arrivals),
            "orders": len(self._evidence.orders),
            "links ordered": sum(len(order.links) for order in self._evidence.orders),
            "messages": len(self._evidence.arrivals),
            **{f"deliveries {status}": number for status, number in sorted(statuses.items())},
        }

    def orders(self) -> Iterator[Finding]:
        """One order per batch and campaign, for as many links as there are people in it."""
        numbers = Counter(order.po for order in self._evidence.orders)
        for po, times in numbers.items():
            if times > 1:
                yield Finding(Violation.ORDER_DOUBLED, f"{po} was ordered {times} times")
        for rules in self._evidence.campaigns.values():
            ours = [each for each in self._evidence.orders if _campaign(each.po) == rules.id]
            if len(ours) > ceil(rules.people / _BATCH):
                what = f"{rules.id}: {len(ours)} orders for {rules.people} people"
                yield Finding(Violation.ORDER_DOUBLED, what)
            ordered = sum(order.quantity for order in ours)
            if ordered > rules.people:
                what = f"{rules.id}: {ordered} links ordered for {rules.people} people"
                yield Finding(Violation.ORDER_DOUBLED, what)
        for po in numbers:
            if _campaign(po) not in self._evidence.campaigns:
                yield Finding(Violation.UNKNOWN, f"order {po}")

    def links(self) -> Iterator[Finding]:
        """Every link that was ordered belongs to exactly one person, and none to two."""
        holders: defaultdict[str, set[str]] = defaultdict(set)
        for person, arrivals in self._arrivals.items():
            for arrival in arrivals:
                for link in arrival.links:
                    holders[link].add(person.name)
        for line in self._evidence.lines:
            if line.link:
                holders[line.link].add(f"{line.campaign}/{line.person}")
        ordered = {link for order in self._evidence.orders for link in order.links}
        for link in sorted(ordered - holders.keys()):
            yield Finding(Violation.LINK_LOST, f"{_masked(link)} was paid for, and nobody has it")
        for link, people in holders.items():
            if len(people) > 1:
                what = f"{_masked(link)} belongs to {' and '.join(sorted(people))}"
                yield Finding(Violation.LINK_SHARED, what)
            if link not in ordered:
                what = f"{_masked(link)} of {min(people)} was never ordered"
                yield Finding(Violation.UNKNOWN, what)

    def identities(self) -> Iterator[Finding]:
        """A person has one link, whatever the channel; a repeated mail keeps its Message-ID."""
        for person, arrivals in self._arrivals.items():
            links = {link for arrival in arrivals for link in arrival.links}
            links |= {line.link for line in self._lines_of(person) if line.link}
            if len(links) > 1:
                what = f"{person.name}: {', '.join(sorted(map(_masked, links)))}"
                yield Finding(Violation.TWO_LINKS, what)
            ids = {arrival.message_id for arrival in arrivals if arrival.channel == "email"}
            if len(ids) > 1:
                yield Finding(Violation.NEW_IDENTITY, f"{person.name}: {', '.join(sorted(ids))}")
            if any(len(arrival.links) != 1 for arrival in arrivals):
                yield Finding(Violation.UNKNOWN, f"{person.name}: a message without its one link")
        for arrival in self._unknown:
            yield Finding(
                Violation.UNKNOWN, f"{arrival.channel} to {arrival.to}, who is on no list"
            )

    def losses(self) -> Iterator[Finding]:
        """A person who was not reached is listed, with a status that says so and a reason."""
        for person in self._evidence.people:
            if person not in self._arrivals and not any(
                map(_is_explained, self._lines_of(person))
            ):
                said = [f"{line.channel} {line.status}" for line in self._lines_of(person)]
                what = f"{person.name}: {', '.join(said) or 'not in the report'}"
                yield Finding(Violation.PERSON_LOST, what)

    def claims(self) -> Iterator[Finding]:
        """What is reported as sent has arrived."""
        for person in self._evidence.people:
            arrived = {arrival.channel for arrival in self._arrivals.get(person, ())}
            for line in self._lines_of(person):
                if line.status in _CLAIMS and line.channel not in arrived:
                    what = f"{person.name}: {line.channel} {line.status}"
                    yield Finding(Violation.FALSE_CLAIM, what)

    def repeats(self) -> Iterator[Repeat]:
        for person, arrivals in self._arrivals.items():
            channels: defaultdict[str, list[float]] = defaultdict(list)
            for arrival in arrivals:
                channels[arrival.channel].append(arrival.at)
            for channel, times in channels.items():
                for before, again in pairwise(times):
                    yield Repeat(person=person, channel=channel, before=before, again=again)

    def held(self, repeats: Sequence[Repeat]) -> Iterator[Finding]:
        for repeat in repeats:
            if repeat.channel in self._evidence.campaigns[repeat.person.campaign].hold:
                what = f"{repeat.person.name}: {repeat.channel} again after"
                yield Finding(
                    Violation.HELD_REPEATED, f"{what} {repeat.again - repeat.before:.2f} seconds"
                )

    def zombies(self) -> Iterator[Finding]:
        """
        A worker that was frozen starts nothing that another one has done meanwhile.

        The success of that other one counts if it could be recorded: no trouble came in between.
        """
        by_key: defaultdict[str, list[Start]] = defaultdict(list)
        for start in self._evidence.starts:
            by_key[start.key].append(start)
        for freeze in self._evidence.freezes:
            for start in self._evidence.starts:
                if start.by != freeze.by or start.at < freeze.end:
                    continue
                done = [
                    other
                    for other in by_key[start.key]
                    if other.by != start.by
                    and other.accepted
                    and freeze.start < other.at < start.at
                    and not self._troubled(other, start.at)
                ]
                if done:
                    what = f"{start.by}: {start.key}, {start.at - freeze.end:.2f} s after its end"
                    yield Finding(Violation.ZOMBIE, what)

    def _troubled(self, other: Start, until: float) -> bool:
        return any(
            trouble.by in {"", other.by} and trouble.start < until and other.at < trouble.end
            for trouble in self._evidence.troubles
        )

    def _lines_of(self, person: Person) -> Sequence[Line]:
        return self._lines.get((person.campaign, person.id), ())


def _beyond(repeat: Repeat) -> Finding:
    what = f"{repeat.person.name}: {repeat.channel} at {repeat.before:.2f} and {repeat.again:.2f}"
    return Finding(Violation.TOO_MANY_REPEATS, what)


def _is_explained(line: Line) -> bool:
    return line.status in _UNREACHED and bool(line.code)


def _campaign(po: str) -> str:
    return po.removeprefix("CC-").rpartition("-")[0]


def _masked(link: str) -> str:
    return f"…{link[-6:]}"
