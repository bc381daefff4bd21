"""Says what is wrong with a campaign's data, in words for people who write campaign files."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.domain.campaign import (
    Campaign,
    CampaignLimits,
    Delivery,
    EmailContent,
    Reward,
    SmsContent,
    WebhookContent,
    Window,
)
from pipeline.intake.files.columns import nearest
from pipeline.intake.files.problems import one_line
from pipeline.intake.files.toml_lines import DottedKey

_SECTIONS: dict[DottedKey, type[BaseModel]] = {
    (): Campaign,
    ("reward",): Reward,
    ("delivery",): Delivery,
    ("delivery", "window"): Window,
    ("email",): EmailContent,
    ("sms",): SmsContent,
    ("webhook",): WebhookContent,
    ("limits",): CampaignLimits,
}
_FILE_KEYS: dict[DottedKey, tuple[str, ...]] = {("email",): ("text_file", "html_file")}

_PATTERNS: dict[DottedKey, str] = {
    ("id",): "must be 1 to 40 lower-case letters, digits and hyphens, and not begin with a hyphen",
    ("reward", "currency"): 'must be three capital letters such as "USD"',
}
_TEXT = "must be text in quotation marks"
_AMOUNT = 'must be an amount such as "10.00"'
_TIME = 'must be a time of day such as "09:00"'
_WORDS: dict[str, str | Callable[[Mapping[str, Any]], str]] = {
    "decimal_max_digits": "is too large an amount",
    "decimal_max_places": "must have at most two digits after the point",
    "decimal_whole_digits": "is too large an amount",
    "decimal_parsing": _AMOUNT,
    "decimal_type": _AMOUNT,
    "finite_number": _AMOUNT,
    "enum": lambda context: f"must be {_choices(context)}",
    "greater_than": "must be more than zero",
    "literal_error": lambda context: f"must be {_choices(context)}",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_too_short": "must not be empty",
    "string_type": _TEXT,
    "string_unicode": "holds a character that is not valid text; remove it",
    "is_instance_of": _TEXT,
    "too_short": 'must name at least one channel, such as ["email"]',
    "tuple_type": 'must be a list such as ["email", "sms"]',
    "value_error": lambda context: one_line(str(context["error"]), 500),  # may quote a value
}


def explain_errors(error: ValidationError) -> Iterator[tuple[DottedKey, str]]:
    """Yield the key and the fault of each error of `Campaign.model_validate`, each key once."""
    faults: dict[DottedKey, str] = {}
    for details in error.errors(include_url=False, include_input=False):
        path = _path(details)
        # A union reports each of its members; the one that matched most says most.
        if path not in faults or details["type"] == "value_error":
            faults[path] = _fault(path, details)
    yield from faults.items()


def dotted(path: DottedKey) -> str | None:
    """Return the path as a dotted key; None for the file as a whole."""
    return ".".join(one_line(part) for part in path) or None


def _path(details: ErrorDetails) -> DottedKey:
    path = tuple(part for part in details["loc"] if isinstance(part, str))
    return path[:2] if path[:1] == ("limits",) else path


def _fault(path: DottedKey, details: ErrorDetails) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return _missing(path)
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"must be a section that begins with the line [{dotted(path)}]"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(path, "has a form that is not allowed")
    if kind.startswith("time_"):
        return _TIME
    words = _WORDS.get(kind, "has a value that cannot be used here")
    return words if isinstance(words, str) else words(details.get("ctx", {}))


def _unknown(path: DottedKey) -> str:
    *parents, key = path
    parent = tuple(parents)
    if hint := nearest(key, _keys(parent)):
        return f"is not a key of a campaign file{hint}"
    homes = [section for section in _SECTIONS if section != parent and key in _keys(section)]
    if len(homes) == 1 and homes[0]:
        return f"does not belong here; move it to the section [{dotted(homes[0])}]"
    return f"is not a key of a campaign file; known here are {', '.join(_keys(parent))}"


def _missing(path: DottedKey) -> str:
    if path in _SECTIONS:
        return f"is missing; add a section that begins with the line [{dotted(path)}]"
    if path == ("email", "text"):
        return 'is missing; write text = "…", or text_file = "…" with a file beside this one'
    return f"is missing; add {path[-1]} = …"


def _keys(section: DottedKey) -> tuple[str, ...]:
    model = _SECTIONS.get(section)
    return (*model.model_fields, *_FILE_KEYS.get(section, ())) if model else ()


def _choices(context: Mapping[str, Any]) -> str:
    return str(context["expected"]).replace("'", '"')
