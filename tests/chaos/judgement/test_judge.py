"""The judge complains about each defect of evidence that was tampered with, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.judgement.evidence import (
    Arrival,
    Evidence,
    Freeze,
    Line,
    Order,
    Person,
    Rules,
    Start,
    Trouble,
)
from tests.chaos.judgement.judge import Violation, judge

CAMPAIGNS = {
    "mail": Rules(id="mail", people=150),
    "both": Rules(id="both", people=10, hold=frozenset({"sms"})),
}


def person(campaign: str, n: int) -> Person:
    phone = f"+1415{n:07}" if campaign == "both" else ""
    return Person(campaign=campaign, id=f"r{n}", email=f"{campaign}-{n}@example.com", phone=phone)


PEOPLE = [person(name, n) for name, rules in CAMPAIGNS.items() for n in range(rules.people)]


def link_of(who: Person) -> str:
    return f"https://claim.example/{who.campaign}-{who.id}"


def mail(who: Person, at: float = 1.0) -> Arrival:
    return Arrival(
        channel="email",
        to=who.email,
        links=(link_of(who),),
        at=at,
        message_id=f"<{who.name}>",
    )


def text(who: Person, at: float = 1.0) -> Arrival:
    return Arrival(channel="sms", to=who.phone, links=(link_of(who),), at=at)


def line(who: Person, channel: str = "email", status: str = "sent", code: str = "") -> Line:
    return Line(
        campaign=who.campaign,
        person=who.id,
        channel=channel,
        status=status,
        code=code,
        link=link_of(who),
    )


def order(number: str, people: list[Person]) -> Order:
    return Order(po=f"CC-{number}", quantity=len(people), links=tuple(map(link_of, people)))


def sound() -> Evidence:
    """A run in which everybody got their message, those of `both` over both channels."""
    both = [each for each in PEOPLE if each.phone]
    mails = [each for each in PEOPLE if not each.phone]
    return Evidence(
        campaigns=CAMPAIGNS,
        people=PEOPLE,
        orders=[
            order("mail-00001", mails[:100]),
            order("mail-00002", mails[100:]),
            order("both-00001", both),
        ],
        arrivals=[*map(mail, PEOPLE), *map(text, both)],
        lines=[*map(line, PEOPLE), *(line(each, "sms", "delivered") for each in both)],
    )


FIRST, SECOND, LAST = PEOPLE[0], PEOPLE[1], PEOPLE[-1]


def ordered_again(e: Evidence) -> Evidence:
    return replace(e, orders=[*e.orders, e.orders[0]])


def ordered_under_another_number(e: Evidence) -> Evidence:
    return replace(e, orders=[*e.orders, replace(e.orders[0], po="CC-mail-00003")])


def ordered_too_many(e: Evidence) -> Evidence:
    return replace(e, orders=[replace(e.orders[0], quantity=101), *e.orders[1:]])


def paid_for_and_gone(e: Evidence) -> Evidence:
    first = e.orders[0]
    more = replace(first, links=(*first.links, "https://claim.example/gone"))
    return replace(e, orders=[more, *e.orders[1:]])


def sent_to_a_second_person(e: Evidence) -> Evidence:
    shared = replace(mail(SECOND), links=(link_of(FIRST),))
    return replace(e, arrivals=[*e.arrivals[2:], e.arrivals[0], shared])


def reported_for_a_second_person(e: Evidence) -> Evidence:
    return replace(e, lines=[*e.lines, replace(line(SECOND), link=link_of(FIRST))])


def two_links_over_two_channels(e: Evidence) -> Evidence:
    other = replace(text(LAST), links=(link_of(PEOPLE[-2]),))
    return replace(e, arrivals=[*e.arrivals[:-1], other])


def not_reached_and_pending(e: Evidence) -> Evidence:
    return replace(e, arrivals=e.arrivals[1:], lines=[line(FIRST, status="pending"), *e.lines[1:]])


def not_reached_and_forgotten(e: Evidence) -> Evidence:
    return replace(e, arrivals=e.arrivals[1:], lines=e.lines[1:])


def failed_without_a_reason(e: Evidence) -> Evidence:
    return replace(e, arrivals=e.arrivals[1:], lines=[line(FIRST, status="failed"), *e.lines[1:]])


def said_to_be_sent(e: Evidence) -> Evidence:
    return replace(e, arrivals=e.arrivals[:-1])


def repeated_where_it_is_held(e: Evidence) -> Evidence:
    return replace(e, arrivals=[*e.arrivals, text(LAST, 2.0)])


def repeated_with_another_identity(e: Evidence) -> Evidence:
    return replace(e, arrivals=[*e.arrivals, replace(mail(FIRST, 2.0), message_id="<other>")])


def sent_to_a_stranger(e: Evidence) -> Evidence:
    return replace(e, arrivals=[*e.arrivals, replace(mail(FIRST), to="mallory@example.com")])


def sent_without_a_link(e: Evidence) -> Evidence:
    return replace(e, arrivals=[*e.arrivals[1:], replace(mail(FIRST), links=())])


def never_ordered(e: Evidence) -> Evidence:
    return replace(e, orders=[replace(e.orders[0], links=e.orders[0].links[1:]), *e.orders[1:]])


TAMPERED: list[tuple[Callable[[Evidence], Evidence], set[Violation]]] = [
    (ordered_again, {Violation.ORDER_DOUBLED}),
    (ordered_under_another_number, {Violation.ORDER_DOUBLED}),
    (ordered_too_many, {Violation.ORDER_DOUBLED}),
    (paid_for_and_gone, {Violation.LINK_LOST}),
    (sent_to_a_second_person, {Violation.LINK_SHARED, Violation.TWO_LINKS}),
    (reported_for_a_second_person, {Violation.LINK_SHARED, Violation.TWO_LINKS}),
    (two_links_over_two_channels, {Violation.LINK_SHARED, Violation.TWO_LINKS}),
    (not_reached_and_pending, {Violation.PERSON_LOST}),
    (not_reached_and_forgotten, {Violation.PERSON_LOST, Violation.LINK_LOST}),
    (failed_without_a_reason, {Violation.PERSON_LOST}),
    (said_to_be_sent, {Violation.FALSE_CLAIM}),
    (repeated_where_it_is_held, {Violation.HELD_REPEATED, Violation.TOO_MANY_REPEATS}),
    (repeated_with_another_identity, {Violation.NEW_IDENTITY, Violation.TOO_MANY_REPEATS}),
    (sent_to_a_stranger, {Violation.UNKNOWN}),
    (sent_without_a_link, {Violation.UNKNOWN}),
    (never_ordered, {Violation.UNKNOWN}),
]


def _name(value: object) -> str:
    return getattr(value, "__name__", "then")


def violations(evidence: Evidence) -> set[Violation]:
    return {finding.violation for finding in judge(evidence, connections=10).findings}


def test_a_sound_run_is_acquitted() -> None:
    assert violations(sound()) == set()


@pytest.mark.parametrize(("tamper", "expected"), TAMPERED, ids=_name)
def test_each_defect_is_found(
    tamper: Callable[[Evidence], Evidence], expected: set[Violation]
) -> None:
    assert violations(tamper(sound())) == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [("uncertain", "unconfirmed"), ("failed", "smtp_550"), ("suppressed", "listed")],
)
def test_a_person_listed_with_a_reason_is_not_lost(status: str, code: str) -> None:
    evidence = sound()
    listed = replace(
        evidence, arrivals=evidence.arrivals[1:], lines=[line(FIRST, "email", status, code)]
    )
    assert FIRST.name not in str(judge(listed, connections=10).findings)


def test_a_message_that_came_again_is_counted_and_needs_a_cause() -> None:
    evidence = replace(sound(), arrivals=[*sound().arrivals, mail(FIRST, 3.0)])
    [repeat] = judge(evidence, connections=10).repeats
    assert (repeat.person, repeat.before, repeat.again) == (FIRST, 1.0, 3.0)
    assert violations(evidence) == {Violation.TOO_MANY_REPEATS}
    unanswered = Start(by="w1", key=FIRST.email, at=0.9, code=None, forwarded=False)
    assert violations(replace(evidence, starts=[unanswered])) == set()
    answered = replace(unanswered, code=250, forwarded=True)
    assert violations(replace(evidence, starts=[answered])) != set()


def zombie(
    *, forwarded: bool = True, code: int = 250, troubles: tuple[Trouble, ...] = ()
) -> Evidence:
    """`w1` was frozen from 10 to 20; `w2` sent a message at 12, and `w1` again at 21."""
    return replace(
        sound(),
        starts=[
            Start(by="w2", key=FIRST.email, at=12.0, code=code, forwarded=forwarded),
            Start(by="w1", key=FIRST.email, at=21.0, code=250, forwarded=True),
        ],
        freezes=[Freeze(by="w1", start=10.0, end=20.0)],
        troubles=troubles,
    )


def test_a_zombie_that_starts_what_another_one_has_done_is_found() -> None:
    assert violations(zombie()) == {Violation.ZOMBIE}
    of_itself = Trouble(by="w1", start=9.0, end=21.0)
    assert violations(zombie(troubles=(of_itself,))) == {Violation.ZOMBIE}


def test_sending_again_what_the_other_one_could_not_finish_or_record_is_no_violation() -> None:
    assert violations(zombie(forwarded=False)) == set()
    assert violations(zombie(code=451)) == set()
    assert violations(zombie(troubles=(Trouble(by="w2", start=12.5, end=13.0),))) == set()
    assert violations(zombie(troubles=(Trouble(by="", start=12.5, end=13.0),))) == set()
