"""What a run showed, as tables for people and as one document for programs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tests.chaos.judge import Crime, Repeat, Verdict

Done = tuple[float, float, str, str]
"""One event: start and end in seconds since the epoch, kind, what it hit."""

PROMISE = (
    Crime.ORDER_DOUBLED,
    Crime.LINK_LOST,
    Crime.LINK_SHARED,
    Crime.TWO_LINKS,
    Crime.PERSON_LOST,
)
_HARMLESS = frozenset({"poison_unit", "poison_submit", "restart_serve", "swallow"})
_UNEXPLAINED = "other"
_BEFORE = 1.0
_AFTER = 4.0  # a lease, in which what was on the wire is still recorded or given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that is to be said about a run; times are in seconds."""

    seed: int
    people: int
    seconds: float
    verdict: Verdict
    done: Sequence[Done]
    hits: Counter[str]
    allowed: int
    lost_answers: int
    recovery: Mapping[str, Sequence[float]]
    swallowed: AbstractSet[str]
    clock: str
    settled: float
    complaints: Sequence[str]

    @property
    def ok(self) -> bool:
        return not self.verdict.findings and not self.complaints


def blamed(
    repeats: Iterable[Repeat], done: Sequence[Done], swallowed: AbstractSet[str] = frozenset()
) -> Counter[str]:
    """
    Count the repeats by their cause.

    It is known where the answer was *swallowed* (addresses); else it is the kind of event that is
    nearest in time to the first message.
    """
    found: Counter[str] = Counter()
    for repeat in repeats:
        address = repeat.person.email if repeat.channel == "email" else repeat.person.phone
        if address in swallowed:
            found["swallow"] += 1
            continue
        near = [
            (abs(start - repeat.first), kind)
            for start, end, kind, _ in done
            if kind not in _HARMLESS and start - _BEFORE <= repeat.first <= end + _AFTER
        ]
        found[min(near)[1] if near else _UNEXPLAINED] += 1
    return found


def as_json(outcome: Outcome) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        "ok": outcome.ok,
        "seed": outcome.seed,
        "people": outcome.people,
        "seconds": outcome.seconds,
        "judge": {crime.value: verdict.count(crime) for crime in Crime},
        "counts": dict(verdict.counts),
        "repeats": {
            "all": len(verdict.repeats),
            "allowed": outcome.allowed,
            "answers_lost": outcome.lost_answers,
        },
        "uncertain": verdict.uncertain,
        "events": _events(outcome),
        "hits": dict(outcome.hits),
        "recovery_seconds": {
            what: _quantiles(times) for what, times in sorted(outcome.recovery.items())
        },
        "clock": outcome.clock,
        "settled_seconds": round(outcome.settled, 1),
        "complaints": list(outcome.complaints),
    }


def as_text(outcome: Outcome) -> str:
    """Return the tables; findings, if any, at the end."""
    document = as_json(outcome)
    lines = ["", "event                events  repeats  per event"]
    for kind, row in document["events"].items():
        per = f"{row['repeats'] / row['events']:.2f}" if row["events"] else "-"
        lines.append(f"{kind:20} {row['events']:6} {row['repeats']:8} {per:>10}")
    lines += ["", "what was hit"]
    lines += [f"  {what:30} {number:6}" for what, number in sorted(document["hits"].items())]
    lines += ["", "recovery, seconds                   number    p50    p99"]
    for what, times in document["recovery_seconds"].items():
        p50, p99 = (str(times[name] or "-") for name in ("p50", "p99"))
        lines.append(f"  {what:33} {times['number']:5} {p50:>6} {p99:>6}")
    lines += ["", "the judge"]
    lines += [f"  {what:44} {number:6}" for what, number in document["counts"].items()]
    repeats, allowed = document["repeats"]["all"], document["repeats"]["allowed"]
    lines.append(f"  {'messages repeated, with the same link':44} {repeats:6}  (bound: {allowed})")
    lines.append(f"  {'left as uncertain, for a person':44} {document['uncertain']:6}")
    lines += [f"  {what:44} {number:6}" for what, number in document["judge"].items()]
    lines += [
        f"! {finding.crime.value}: {finding.what}" for finding in outcome.verdict.findings[:50]
    ]
    lines += [f"! {complaint}" for complaint in outcome.complaints]
    return "\n".join(lines)


def _events(outcome: Outcome) -> dict[str, dict[str, int]]:
    table: defaultdict[str, dict[str, int]] = defaultdict(lambda: {"events": 0, "repeats": 0})
    for _, _, kind, _ in sorted(outcome.done, key=lambda each: each[2]):
        table[kind]["events"] += 1
    for kind, repeats in blamed(outcome.verdict.repeats, outcome.done, outcome.swallowed).items():
        table[kind]["repeats"] = repeats
    return dict(table)


def _quantiles(times: Sequence[float]) -> dict[str, float | int | None]:
    ordered = sorted(times)
    return {
        "number": len(ordered),
        "p50": _quantile(ordered, 0.5),
        "p99": _quantile(ordered, 0.99),
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
