"""What a run showed, as tables for people and as one document for programs."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.judgement.bound import most_at_once, repeats_by_kind
from tests.chaos.judgement.judge import Verdict, Violation

Done = tuple[float, float, str, str]
"""One event: start and end in seconds since the epoch, kind, what it hit."""

PROMISE = (
    Violation.ORDER_DOUBLED,
    Violation.LINK_LOST,
    Violation.LINK_SHARED,
    Violation.TWO_LINKS,
    Violation.PERSON_LOST,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that is to be said about a run; times are in seconds."""

    seed: int
    people: int
    seconds: float
    verdict: Verdict
    done: Sequence[Done]
    hits: Counter[str]
    lost_answers: int
    recovery: Mapping[str, Sequence[float]]
    clock: str
    settled: float
    complaints: Sequence[str]

    @property
    def ok(self) -> bool:
        return not self.verdict.findings and not self.complaints


def as_json(outcome: Outcome) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        "ok": outcome.ok,
        "seed": outcome.seed,
        "people": outcome.people,
        "seconds": outcome.seconds,
        "judge": {violation.value: verdict.count(violation) for violation in Violation},
        "counts": dict(verdict.counts),
        "repeats": {
            "all": len(verdict.repeats),
            "allowed": verdict.explanation.allowed,
            "answers_lost": outcome.lost_answers,
            "most_for_one_worker": {
                kind: {"repeats": repeats, "allowed": allowed}
                for kind, (repeats, allowed) in sorted(
                    most_at_once(verdict.explanation.causes).items()
                )
            },
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
    lines = ["", "event                events  repeats  per event  most for one worker"]
    worst = document["repeats"]["most_for_one_worker"]
    for kind, row in document["events"].items():
        per = f"{row['repeats'] / row['events']:.2f}" if row["events"] else "-"
        most = f"{worst[kind]['repeats']} of {worst[kind]['allowed']}" if kind in worst else ""
        lines.append(f"{kind:20} {row['events']:6} {row['repeats']:8} {per:>10}  {most}".rstrip())
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
        f"! {finding.violation.value}: {finding.what}" for finding in outcome.verdict.findings[:50]
    ]
    lines += [f"! {complaint}" for complaint in outcome.complaints]
    return "\n".join(lines)


def _events(outcome: Outcome) -> dict[str, dict[str, int]]:
    table: defaultdict[str, dict[str, int]] = defaultdict(lambda: {"events": 0, "repeats": 0})
    for _, _, kind, _ in sorted(outcome.done, key=lambda each: each[2]):
        table[kind]["events"] += 1
    for kind, repeats in repeats_by_kind(outcome.verdict.explanation.causes).items():
        if repeats:
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
