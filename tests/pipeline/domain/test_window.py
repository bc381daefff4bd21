"""Quiet hours hold by the recipient's clock, also when that clock jumps."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.domain.campaign import Window
from pipeline.domain.models import Recipient
from pipeline.domain.window import closing_time, next_opening, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
DAY = Window(start=time(9), end=time(20))
NIGHT = Window(start=time(22), end=time(6))


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    """Return a wall time of a zone as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (DAY, "2026-11-22 08:59", "2026-11-22 09:00"),
        (DAY, "2026-11-22 09:00", None),
        (DAY, "2026-11-22 19:59", None),
        (DAY, "2026-11-22 20:00", "2026-11-23 09:00"),
        (DAY, "2026-12-31 23:00", "2027-01-01 09:00"),
        (NIGHT, "2026-11-22 21:59", "2026-11-22 22:00"),
        (NIGHT, "2026-11-22 23:30", None),
        (NIGHT, "2026-11-23 05:59", None),
        (NIGHT, "2026-11-23 06:00", "2026-11-23 22:00"),
        # The clock goes from 02:00 to 03:00 on 2026-03-29, from 03:00 to 02:00 on 2026-10-25.
        (DAY, "2026-03-28 20:00", "2026-03-29 09:00"),
        (DAY, "2026-10-24 20:00", "2026-10-25 09:00"),
        (NIGHT, "2026-03-29 03:30", None),
        (NIGHT, "2026-10-25 05:59", None),
    ],
)
def test_the_window_opens_by_the_wall_clock(window: Window, now: str, opens: str | None) -> None:
    assert next_opening(window, BERLIN, at(now)) == (None if opens is None else at(opens))


def test_the_night_of_a_change_is_as_long_as_it_is() -> None:
    spring = next_opening(DAY, BERLIN, at("2026-03-28 20:00"))
    autumn = next_opening(DAY, BERLIN, at("2026-10-24 20:00"))
    assert spring is not None
    assert autumn is not None
    assert spring - at("2026-03-28 20:00") == timedelta(hours=12)
    assert autumn - at("2026-10-24 20:00") == timedelta(hours=14)


def test_a_time_that_is_skipped_counts_as_the_moment_after_the_gap() -> None:
    window = Window(start=time(2, 30), end=time(12))
    assert next_opening(window, BERLIN, at("2026-03-29 01:00")) == at("2026-03-29 03:30")


def test_a_time_that_comes_twice_counts_once() -> None:
    window = Window(start=time(2, 30), end=time(12))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, still summer time
    assert next_opening(window, BERLIN, first - timedelta(seconds=1)) == first
    assert next_opening(window, BERLIN, first + timedelta(hours=1)) is None


@pytest.mark.parametrize(
    ("window", "zone", "default", "found"),
    [
        ("recipient", "Asia/Tokyo", "UTC", "Asia/Tokyo"),
        ("recipient", "", "Europe/Paris", "Europe/Paris"),
        ("Europe/Berlin", "Asia/Tokyo", "UTC", "Europe/Berlin"),
    ],
)
def test_the_clock_of_the_recipient_or_of_the_campaign_counts(
    window: str, zone: str, default: str, found: str
) -> None:
    policy = Window(start=time(9), end=time(20), timezone=window, default_timezone=default)
    assert zone_of(policy, Recipient(id="r", timezone=zone)) == ZoneInfo(found)


@pytest.mark.parametrize("zone", ["recipient", "Mars/Olympus", ""])
def test_the_default_zone_is_a_real_one(zone: str) -> None:
    with pytest.raises(ValidationError, match="IANA"):
        Window(start=time(9), end=time(20), default_timezone=zone)


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        (DAY, "2026-11-22 12:00", "2026-11-22 20:00"),
        (NIGHT, "2026-11-22 23:30", "2026-11-23 06:00"),
        (NIGHT, "2026-11-23 01:00", "2026-11-23 06:00"),
        (DAY, "2026-11-22 21:00", "2026-11-22 21:00"),
    ],
)
def test_a_window_that_is_open_closes_on_time(window: Window, now: str, closes: str) -> None:
    assert closing_time(window, BERLIN, at(now)) == at(closes)


ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",  # half an hour off
    "America/Santiago",  # changes at midnight
    "Australia/Lord_Howe",  # changes by half an hour
    "Africa/Casablanca",  # summer time but in Ramadan
    "Pacific/Apia",
    "Pacific/Kiritimati",  # 14 hours ahead
    "Asia/Kathmandu",
]
TIMES = st.times().map(lambda value: value.replace(second=0, microsecond=0))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001 - next line
    lambda value: value.replace(tzinfo=UTC)
)


@given(TIMES, TIMES, st.sampled_from(ZONES), MOMENTS)
def test_it_opens_in_the_future_and_is_open_then(
    start: time, end: time, name: str, now: datetime
) -> None:
    # A window shorter than a change of the clock may not exist on that day.
    minutes = (end.hour - start.hour) * 60 + end.minute - start.minute
    assume(minutes % 1440 > 60)
    window, zone = Window(start=start, end=end), ZoneInfo(name)
    opens = next_opening(window, zone, now)
    if opens is None:
        assert now < closing_time(window, zone, now) <= now + timedelta(hours=25)
    else:
        assert now < opens <= now + timedelta(hours=26)
        assert next_opening(window, zone, opens) is None
        assert next_opening(window, zone, opens - timedelta(microseconds=1)) is not None
        assert closing_time(window, zone, now) == now
