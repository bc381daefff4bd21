"""Why an SMS failed, waits, or is uncertain, by the rules of the SMS channel."""

import re

from pipeline.domain.codes.reason import ANOTHER, FAILED, RESUME, TRIES, WAITS, Reason, ReasonKind

_UNSURE = "It is looked up at Twilio; where that does not settle it, the campaign's policy holds."
_PERSON = "Look it up in Twilio's console, then run `claimcast retry {campaign} --uncertain`."
_NETWORK = "Check CLAIMCAST_TWILIO__BASE_URL and the network."
_CONSOLE = "Look the code up in Twilio's documentation and mend it in Twilio's console"
_NUMBER = "Ask the person for another number."


def _sms(
    code: str, meaning: str, by_itself: str, action: str, kind: ReasonKind = "delivery"
) -> Reason:
    return Reason(code, kind, meaning, by_itself, action)


def _twilio(
    numbers: str, meaning: str, by_itself: str, action: str, kind: ReasonKind = "delivery"
) -> tuple[re.Pattern[str], Reason]:
    pattern = re.compile(rf"twilio_(?:{numbers})")
    return pattern, _sms("", meaning, by_itself, action, kind)


SMS = (
    _sms("sms_bad_number", "the phone number cannot be used", ANOTHER, _NUMBER),
    _sms(
        "sms_no_link",
        "the text for this person lost the link",
        ANOTHER,
        f"Put {{{{ link }}}} outside of conditions in sms.body, then run {FAILED}.",
    ),
    _sms(
        "sms_too_long",
        "the text for this person is too long for an SMS",
        ANOTHER,
        f"Shorten sms.body, then run {FAILED}.",
    ),
    _sms("twilio_timeout", "Twilio did not answer in time", _UNSURE, _PERSON),
    _sms("twilio_reset", "the line to Twilio broke", _UNSURE, _PERSON),
    _sms("twilio_bad_answer", "Twilio's answer cannot be read", _UNSURE, _PERSON),
    _sms("twilio_unreachable", "Twilio cannot be reached", WAITS, _NETWORK),
    _sms(
        "twilio_closed",
        "the worker was stopping",
        "Another worker sends it, or this one after its restart.",
        "Nothing has to be done.",
    ),
    _sms(
        "twilio_certificate",
        "the certificate of the SMS API is not valid",
        WAITS,
        f"Check CLAIMCAST_TWILIO__BASE_URL, restart the workers, {RESUME}.",
        kind="block",
    ),
)

# The first that matches the code holds, as in channels/sms/codes.py.
TWILIO = (
    _twilio(
        "20003|20005|20404|21603|21609|21703|30002|http_40[134]",
        "Twilio does not accept our account, login or sender",
        WAITS,
        f"Correct the CLAIMCAST_TWILIO__* settings, restart the workers, {RESUME}.",
        kind="block",
    ),
    _twilio(
        "21610",
        "the person opted out of messages (STOP)",
        ANOTHER,
        "Nothing: only the person can undo that, by answering START.",
    ),
    _twilio(
        "21211|21217|21266|21268|21614|30004|30005|30006",
        "this number cannot receive our SMS",
        ANOTHER,
        _NUMBER,
    ),
    _twilio("21617", "the text is too long", ANOTHER, f"Shorten sms.body, then run {FAILED}."),
    _twilio(
        "30001|30022|30036|20429",
        "Twilio or a carrier wants us to be slower",
        TRIES,
        "If it goes on, lower the rate with `claimcast limits set sms RATE`.",
    ),
    _twilio(
        "30003|30008",
        "the phone could not be reached for now",
        TRIES,
        "Nothing has to be done.",
    ),
    _twilio(
        "14107|21212|21408|21606|21608|21612|30007|30023|63038",
        "Twilio does not send for our sender, text or account",
        WAITS,
        f"{_CONSOLE}.",
    ),
    _twilio(r"http_5\d\d", "Twilio failed while it had the message", _UNSURE, _PERSON),
    _twilio(r"http_\d+", "the answer is not from Twilio", WAITS, _NETWORK),
    _twilio(
        "failed|undelivered|canceled",
        "Twilio could not deliver it and gave no reason",
        ANOTHER,
        f"To try the same numbers again, run {FAILED}.",
    ),
    _twilio(
        r"\d+",
        "Twilio refused it with a code that is not known here",
        "Nothing: no other channel is tried.",
        f"{_CONSOLE}, then run {FAILED}.",
    ),
)
