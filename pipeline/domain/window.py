"""Quiet hours: when a message to a recipient may go out next."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from pipeline.domain.campaign import Window
from pipeline.domain.models import Recipient


def zone_of(window: Window, recipient: Recipient) -> tzinfo:
    """Return the zone whose clock counts; the campaign's where a recipient has none."""
    if window.timezone != "recipient":
        return ZoneInfo(window.timezone)
    return ZoneInfo(recipient.timezone or window.default_timezone)


def next_opening(window: Window, zone: tzinfo, now: datetime) -> datetime | None:
    """
    Return when the window opens next, or None if it is open at *now* (an aware datetime).

    A window may go over midnight. Local times that a change to summer time skips count as the
    moment after the gap, those that come twice as the first of the two.
    """
    local = now.astimezone(zone)
    for day in (-1, 0, 1, 2, 3):
        opens, closes = _bounds(window, zone, local + timedelta(days=day))
        if opens >= closes:
            continue  # the change to summer time swallowed it on this day
        if opens <= now < closes:
            return None
        if opens > now:
            return opens
    msg = "a window opens every day"
    raise AssertionError(msg)


def closing_time(window: Window, zone: tzinfo, now: datetime) -> datetime:
    """Return when the window that is open at *now* closes; *now* itself if none is open."""
    local = now.astimezone(zone)
    for day in (-1, 0):
        opens, closes = _bounds(window, zone, local + timedelta(days=day))
        if opens <= now < closes:
            return closes
    return now


def _bounds(window: Window, zone: tzinfo, local: datetime) -> tuple[datetime, datetime]:
    day = local.date()
    opens = datetime.combine(day, window.start, zone)
    last = day if window.end > window.start else day + timedelta(days=1)
    closes = datetime.combine(last, window.end, zone)
    return _instant(opens), _instant(closes)


def _instant(wall: datetime) -> datetime:
    """Return a wall time as a moment; one inside a gap is moved past it, as fold=0 does."""
    return wall.astimezone(UTC)
