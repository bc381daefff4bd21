"""The report shows repeats beside what they were put down to, and each worker's share."""

from collections import Counter

from tests.chaos.judgement.bound import Cause, Explanation, Repeat
from tests.chaos.judgement.evidence import Person
from tests.chaos.judgement.judge import Verdict
from tests.chaos.report import Done, Outcome, as_json, as_text

WHO = Person(campaign="c", id="r", email="r@example.com", phone="+14155552671")
DONE: list[Done] = [
    (10.0, 10.0, "kill_worker", "sending"),
    (12.0, 12.0, "kill_worker", "ordering"),
    (30.0, 30.0, "restart_serve", ""),
]


def cause(kind: str, repeats: int, most: int) -> Cause:
    return Cause(
        kind=kind, by="w", channel="email", start=1, most=most, attempts=(), repeats=repeats
    )


def an_outcome() -> Outcome:
    repeat = Repeat(person=WHO, channel="email", before=9.5, again=14.5)
    causes = [cause("kill_worker", 2, 9), cause("kill_worker", 1, 1), cause("answer lost", 1, 1)]
    verdict = Verdict(
        findings=[],
        repeats=[repeat] * 4,
        explanation=Explanation(causes=causes, beyond=[]),
        uncertain=0,
    )
    return Outcome(
        seed=1,
        people=1,
        seconds=1.0,
        verdict=verdict,
        done=DONE,
        hits=Counter(),
        lost_answers=1,
        recovery={},
        clock="",
        settled=1.0,
        complaints=[],
    )


def test_repeats_are_counted_by_cause_and_for_the_worst_single_worker() -> None:
    document = as_json(an_outcome())
    assert document["events"] == {
        "kill_worker": {"events": 2, "repeats": 3},
        "restart_serve": {"events": 1, "repeats": 0},
        "answer lost": {"events": 0, "repeats": 1},
    }
    assert (document["repeats"]["all"], document["repeats"]["allowed"]) == (4, 11)
    assert document["repeats"]["most_for_one_worker"]["kill_worker"] == {
        "repeats": 2,
        "allowed": 9,
    }


def test_people_read_the_same() -> None:
    lines = as_text(an_outcome()).splitlines()
    assert "kill_worker               2        3       1.50  2 of 9" in lines
    assert "restart_serve             1        0       0.00" in lines
