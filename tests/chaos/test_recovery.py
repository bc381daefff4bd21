"""What `make chaos CHAOS=recovery` finds late: shares of a lease and a start, never seconds."""

import pytest

from tests.chaos.recovery import BACK, EACH, FIRST, FLEET, LAST, START, STOP, Times


def measured(lease: int, start: float, **more: float) -> Times:
    """Return what a sound run finds, with *more* in the place of some of it."""
    names = {FIRST: "first", EACH: "each", BACK: "back", FLEET: "fleet", LAST: "last"}
    names[STOP] = "stop"
    usual = {"first": lease, "each": 3 * lease, "back": 0.1, "fleet": lease, "last": lease}
    usual |= {"stop": 1} | more
    times = Times()
    for what, name in names.items():
        times.add(what, lease, usual[name])
    times.add(START, lease, start)
    return times


@pytest.mark.parametrize(("lease", "start"), [(2, 0.5), (2, 20.0), (30, 1.0)])
def test_a_slow_machine_is_not_late(lease: int, start: float) -> None:
    assert measured(lease, start, first=lease + 0.9 * start, back=0.9 * start).late() == []


@pytest.mark.parametrize(
    ("what", "name", "seconds"),
    [
        (FIRST, "first", 4.1),
        (BACK, "back", 1.1),
        (FLEET, "fleet", 5),
        (LAST, "last", 4.1),
        (STOP, "stop", 5.1),
    ],
)
def test_whatever_takes_longer_than_a_lease_and_a_start_is_late(
    what: str, name: str, seconds: float
) -> None:
    [words] = measured(3, 1.0, **{name: seconds}).late()
    assert words.startswith(f"{what}, lease 3 s: 1.")


def test_each_lease_is_judged_by_its_own_start() -> None:
    times = measured(2, 1.0)
    times.found |= measured(30, 1.0, fleet=40).found
    [words] = times.late()
    assert "lease 30 s" in words


def test_one_slow_round_of_three_is_not_late_and_two_are() -> None:
    times = measured(2, 1.0)
    times.add(FIRST, 2, 2.0, 50.0)
    assert times.late() == []
    times.add(FIRST, 2, 50.0, 50.0)
    assert times.late() != []


def test_the_table_shows_every_time_and_the_share_of_what_is_judged() -> None:
    lines = measured(2, 1.0).as_table().splitlines()
    assert len(lines) == 9
    assert f"| {FIRST} | 2 s | 1 | 2.0 s | 2.0 s | 0.67 |" in lines
    assert f"| {EACH} | 2 s | 1 | 6.0 s | 6.0 s |  |" in lines
