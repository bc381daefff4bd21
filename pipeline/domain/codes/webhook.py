"""Why a message to the customer's app failed, waits, or is uncertain."""

import re

from pipeline.domain.codes.reason import (
    ANOTHER,
    FAILED,
    NONE_NEEDED,
    RESUME,
    TRIES,
    WAITS,
    Reason,
    ReasonKind,
)

_UNSURE = "The campaign's policy holds: it is posted again under the same id, or waits for you."
_PERSON = (
    "Look it up in the app by its webhook-id, then run `claimcast retry {campaign} --uncertain`."
)
_SETTINGS = "Check CLAIMCAST_WEBHOOK__URL and the network."


def _webhook(code: str, meaning: str, by_itself: str, action: str) -> Reason:
    return Reason(code, "delivery", meaning, by_itself, action)


def _status(
    codes: str, meaning: str, by_itself: str, action: str, kind: ReasonKind = "delivery"
) -> tuple[re.Pattern[str], Reason]:
    return re.compile(rf"webhook_(?:{codes})"), Reason("", kind, meaning, by_itself, action)


WEBHOOK = (
    _webhook("webhook_timeout", "the app did not answer in time", _UNSURE, _PERSON),
    _webhook("webhook_reset", "the line to the app broke", _UNSURE, _PERSON),
    _webhook("webhook_bad_answer", "the app's answer cannot be read", _UNSURE, _PERSON),
    _webhook("webhook_unreachable", "the app cannot be reached", WAITS, _SETTINGS),
    _webhook(
        "webhook_closed",
        "the worker was stopping",
        "Another worker sends it, or this one after its restart.",
        NONE_NEEDED,
    ),
)

# The first that matches the code holds, as in channels/webhook.py.
STATUSES = (
    _status(
        "401|403|410",
        "the app does not accept our messages",
        WAITS,
        "Correct CLAIMCAST_WEBHOOK__URL and CLAIMCAST_WEBHOOK__SECRET, restart the workers, "
        f"{RESUME}.",
        kind="block",
    ),
    _status(
        "429",
        "the app wants us to be slower",
        TRIES,
        "If it goes on, lower the rate with `claimcast limits set webhook RATE`.",
    ),
    _status(
        r"408|5\d\d",
        "the app could not take the message for now",
        TRIES,
        "If it goes on, ask whoever runs the app.",
    ),
    _status(r"40[45]|[123]\d\d", "nothing takes messages at this address", WAITS, _SETTINGS),
    _status(
        r"4\d\d",
        "the app refuses this message or this recipient",
        ANOTHER,
        f"Ask whoever runs the app; once it takes the message, run {FAILED}.",
    ),
)
