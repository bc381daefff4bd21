"""The bound of repeats: true for what a trouble may cost, and red at the next one."""

from collections.abc import Sequence

import pytest

from tests.chaos.judgement.bound import Explanation, Repeat, explain, most_at_once, repeats_by_kind
from tests.chaos.judgement.evidence import Evidence, Person, Start, Trouble

CONNECTIONS = 3
KILL = Trouble(kind="kill_worker", by="w1", start=9.0, end=10.0)
OUTAGE = Trouble(kind="kill_valkey", by="", start=9.0, end=20.0)


def person(n: int) -> Person:
    return Person(campaign="c", id=f"r{n}", email=f"r{n}@example.com", phone=f"+1415{n:07}")


def sent(
    n: int, at: float = 9.5, *, by: str = "w1", sms: bool = False, forwarded: bool = True
) -> Start:
    key = person(n).phone if sms else person(n).email
    return Start(by=by, key=key, at=at, code=250 if forwarded else None, forwarded=forwarded)


def again(n: int, before: float = 9.6, channel: str = "email") -> Repeat:
    return Repeat(person=person(n), channel=channel, before=before, again=before + 5)


def explained(
    repeats: Sequence[Repeat], starts: Sequence[Start], *troubles: Trouble
) -> Explanation:
    evidence = Evidence(
        campaigns={}, people=(), orders=(), arrivals=(), lines=(), starts=starts, troubles=troubles
    )
    return explain(repeats, evidence, CONNECTIONS)


def test_a_killed_worker_explains_twice_its_connections_and_not_one_more() -> None:
    starts = [sent(n) for n in range(8)]
    most = explained([again(n) for n in range(6)], starts, KILL)
    assert (most.allowed, most.beyond) == (6, [])
    one_more = explained([again(n) for n in range(7)], starts, KILL)
    assert one_more.beyond == [again(6)]


def test_a_worker_that_had_little_on_the_wire_explains_no_more_than_that() -> None:
    found = explained([], [sent(0), sent(1), sent(2, at=1.0), sent(3, by="w2")], KILL)
    assert found.allowed == 2
    assert explained([], [], KILL).allowed == 0


@pytest.mark.parametrize(
    "stranger", [sent(0, by="w2"), sent(0, at=7.0), sent(0, at=10.5), sent(0, sms=True)]
)
def test_what_another_worker_or_another_time_sent_is_not_explained(stranger: Start) -> None:
    before = max(stranger.at, 9.0) + 0.1
    assert explained([again(0, before)], [stranger], KILL).beyond == [again(0, before)]


def test_each_channel_has_its_own_connections() -> None:
    starts = [sent(n, sms=sms) for n in range(7) for sms in (False, True)]
    repeats = [again(n, channel=name) for n in range(7) for name in ("email", "sms")]
    found = explained(repeats, starts, KILL)
    assert found.allowed == 12
    assert [repeat.channel for repeat in found.beyond] == ["email", "sms"]


def test_an_outage_counts_for_each_worker_that_sent_meanwhile() -> None:
    starts = [sent(n, by=by) for n, by in enumerate(["w1"] * 7 + ["w2"] * 2)]
    found = explained([again(n) for n in range(9)], starts, OUTAGE)
    assert found.allowed == 8
    assert found.beyond == [again(6)]


def test_an_answer_that_did_not_come_explains_one_repeat() -> None:
    lost = sent(0, forwarded=False)
    assert explained([again(0)], [lost]).beyond == []
    # The answer to the second message did come.
    twice = [again(0), again(0, 14.6)]
    assert explained(twice, [lost, sent(0, 14.5)]).beyond == [twice[1]]


def test_a_repeat_is_put_down_to_what_is_known_for_certain_else_to_the_nearest_trouble() -> None:
    swallowed = Start(by="w1", key=person(0).email, at=9.5, code=250, forwarded=False)
    later = Trouble(kind="freeze_worker", by="w1", start=9.4, end=15.0)
    found = explained(
        [again(0), again(1, 9.2), again(2, 9.6)],
        [swallowed, sent(1, 9.1), sent(2, 9.5)],
        KILL,
        later,
    )
    kinds = repeats_by_kind(found.causes)
    assert +kinds == {"swallow": 1, "kill_worker": 1, "freeze_worker": 1}
    assert most_at_once(found.causes)["kill_worker"] == (1, 3)


def test_without_having_seen_the_first_message_nothing_is_explained() -> None:
    assert explained([again(0)], [], KILL).beyond == [again(0)]
