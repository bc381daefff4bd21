"""The report: repeats are put down to what caused them."""

from tests.chaos.evidence import Person
from tests.chaos.judge import Repeat
from tests.chaos.report import Done, blamed

WHO = Person(campaign="c", id="r", email="r@example.com", phone="+14155552671")
DONE: list[Done] = [
    (10.0, 10.0, "kill_worker", "sending"),
    (20.0, 25.0, "kill_valkey", ""),
    (30.0, 30.0, "swallow", "smtp, 1"),
    (40.0, 40.0, "restart_serve", ""),
]


def repeat(first: float, channel: str = "email") -> Repeat:
    return Repeat(person=WHO, channel=channel, first=first, again=first + 5)


def test_a_repeat_is_put_down_to_what_happened_just_then() -> None:
    found = blamed([repeat(9.5), repeat(10.2), repeat(23.0), repeat(40.0)], DONE)
    assert found == {"kill_worker": 2, "kill_valkey": 1, "other": 1}


def test_a_swallowed_answer_is_known_to_be_the_cause() -> None:
    found = blamed([repeat(10.0), repeat(10.0, "sms")], DONE, {WHO.email})
    assert found == {"swallow": 1, "kill_worker": 1}
