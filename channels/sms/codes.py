"""What Twilio's answers, error codes and statuses mean: the only place where they are judged."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from pipeline.domain.errors import (
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import FactKind

_Verdict = Callable[[str, str], DeliveryError]

_LONGEST_WAIT = 3600.0
_SHORTEST_WAIT = 1.0

_permanent: _Verdict = PermanentError
_opted_out: _Verdict = partial(PermanentError, suppress=True)
_blocked: _Verdict = BlockedError
_fatal: _Verdict = partial(BlockedError, fatal=True)


def _later(seconds: float) -> _Verdict:
    return partial(TransientError, retry_after=seconds)


# The words are ours: Twilio's own quote the number. Beside each code is where its meaning is
# from: "page" is twilio.com/docs/api/errors/CODE, "lists" are error lists of several companies
# that agree, "recalled" was not seen again when this was written.
CODES: Mapping[int, tuple[_Verdict, str]] = {
    # This number never gets an SMS.
    21211: (_permanent, "not a valid phone number"),  # page
    21217: (_permanent, "not a valid phone number"),  # recalled: as 21211
    21266: (_permanent, "the number is our own sender"),  # lists
    21268: (_permanent, "premium rate or information service number"),  # page
    21614: (_permanent, "the number cannot receive SMS"),  # lists
    21617: (_permanent, "the text is longer than 1600 characters"),  # lists
    30004: (_permanent, "the number blocks messages"),  # lists
    30005: (_permanent, "the number is unknown or not in service"),  # lists
    30006: (_permanent, "landline, or a carrier that cannot be reached"),  # page: do not retry
    21610: (_opted_out, "the person opted out (STOP)"),  # lists: only START reverses it
    # Another time.
    30001: (_later(60.0), "Twilio's queue is full"),  # lists: slow down
    30003: (_later(1800.0), "the phone is off or without service"),  # page: 30 to 60 minutes
    30008: (_later(3600.0), "the carrier gave no reason"),  # lists: once more, later
    30022: (_later(60.0), "the rate limit of US carriers"),  # recalled
    30036: (_later(60.0), "waited in Twilio's queue for too long"),  # page: retry
    # About our sender, our text or our account's rights.
    14107: (_blocked, "Twilio stopped a loop between two numbers"),  # page
    21212: (_blocked, "the sender is not a valid number"),  # changelog of 2024-07-10
    21408: (_blocked, "SMS to this country are not enabled for the account"),  # lists
    21606: (_blocked, "the sender cannot send SMS to this destination"),  # lists
    21608: (_blocked, "a trial account sends to verified numbers only"),  # lists
    21612: (_blocked, "no route from this sender to this number"),  # lists
    30007: (_blocked, "filtered as unwanted by Twilio or the carrier"),  # page
    30023: (_blocked, "the daily limit of US carriers is reached"),  # lists: until midnight
    63038: (_blocked, "the account's daily limit is reached"),  # recalled
    # Only a person can mend these.
    20003: (_fatal, "Twilio does not accept our login"),  # lists
    20005: (_fatal, "the account is not active"),  # recalled
    20404: (_fatal, "there is no such account or resource"),  # recalled
    21603: (_fatal, "no sender was given"),  # recalled
    21609: (_fatal, "Twilio cannot use the callback URL"),  # lists
    21703: (_fatal, "the messaging service has no sender"),  # recalled
    30002: (_fatal, "the account is suspended"),  # lists
}

_MOVING = {
    "sent": FactKind.SENT,
    "delivered": FactKind.DELIVERED,
    "read": FactKind.DELIVERED,
}
_FAILED = frozenset({"failed", "undelivered", "canceled"})


def meaning(number: int) -> DeliveryError:
    """
    Return what Twilio's error *number* means for the delivery.

    Whether another channel should be tried is unknown for a code that is not in the table.
    """
    code = f"twilio_{number}"
    if number in CODES:
        verdict, words = CODES[number]
        return verdict(code, words)
    return PermanentError(code, "Twilio's documentation explains it", fallback=False)


def failure(status: str, error_code: int | None) -> DeliveryError | None:
    """Return why a message that Twilio has will not arrive; None unless it has failed."""
    if status not in _FAILED:
        return None
    if error_code:
        return meaning(error_code)
    return PermanentError(f"twilio_{status}", "Twilio gave no reason")


def of_callback(status: str, error_code: int | None) -> tuple[FactKind, str, bool] | None:
    """
    Return kind, code and whether to suppress, for a fact about an attempt.

    *status* and *error_code* are MessageStatus and ErrorCode of a status callback. None: a status
    that says nothing about the delivery (queued, accepted, scheduled, sending, or a new one).
    """
    error = failure(status, error_code)
    if error is not None:
        return FactKind.FAILED, error.code, isinstance(error, PermanentError) and error.suppress
    kind = _MOVING.get(status)
    return None if kind is None else (kind, "", False)


def classify_refusal(status: int, text: str, retry_after: str | None) -> DeliveryError:
    """
    Return what an HTTP answer other than 2xx means for the message that was posted.

    *text* is its body, *retry_after* its header. Twilio documents that what got 429 was not
    processed; what got 5xx may have been. A redirect (RFC 9110, section 15.4) or a refusal
    without Twilio's own number is not from Twilio: the base URL is wrong, or a proxy answers.
    """
    if status >= 500:
        return UncertainError(f"twilio_http_{status}")
    number = _number(text)
    if number in CODES:
        return meaning(number)
    if status == 429:
        code = f"twilio_{number or 20429}"
        return TransientError(code, "too many requests", retry_after=_seconds(retry_after))
    if status in {401, 403, 404}:
        return BlockedError(f"twilio_{number or f'http_{status}'}", fatal=True)
    return meaning(number) if number else BlockedError(f"twilio_http_{status}")


def _number(text: str) -> int:
    """Return Twilio's error number, or 0 if *text* is not one of its errors."""
    try:
        number = json.loads(text)["code"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return 0
    return number if isinstance(number, int) and 0 < number < 1_000_000 else 0


def _seconds(retry_after: str | None) -> float:
    """Return the wait of a Retry-After header (RFC 9110, section 10.2.3), or a second."""
    seconds = _SHORTEST_WAIT
    if retry_after is not None and retry_after.isdecimal():
        seconds = float(retry_after)
    elif retry_after is not None:
        with suppress(ValueError):
            date = parsedate_to_datetime(retry_after).astimezone(UTC)
            seconds = (date - datetime.now(UTC)).total_seconds()
    return min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT)
