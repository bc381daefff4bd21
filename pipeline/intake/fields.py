"""Checks each value of a recipient, and brings it into the form in which it is stored."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from pipeline.domain.models import ADDRESS_FIELD, ChannelName, Recipient

_LONGEST_ID = 200
_LONGEST_ADDRESS = 320

# At most 64 characters, so that no label, local part or address can exceed its limit.
_ORDINARY_EMAIL = re.compile(
    r"(?=.{1,64}\Z)[a-z0-9_]+(?:[.+-][a-z0-9_]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+([a-z]{2,})"
)
_RESERVED = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)
_PHONE = re.compile(r"\+[\d\s().\u2010-\u2015-]{4,40}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_ONE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Fault(NamedTuple):
    """What is wrong with one field; no field means the row as a whole."""

    field: str | None
    message: str


def recipient_of(values: dict[str, str]) -> tuple[Recipient, list[Fault]]:
    """
    Return the recipient in *values* and everything that is wrong with it.

    The recipient has no value in a field with a fault. Empties *values*.
    """
    fields = {"id": ""}
    faults: list[Fault] = []
    for name, normalise in _STANDARD.items():
        if text := values.pop(name, "").strip():
            try:
                fields[name] = normalise(text)
            except ValueError as error:
                faults.append(Fault(name, str(error)))
        elif name == "id":
            faults.append(Fault("id", "is missing; give every recipient an id of its own"))
    return Recipient(**fields, variables=_variables(values, faults)), faults


def unreachable(
    recipient: Recipient, channels: Sequence[ChannelName], faults: Sequence[Fault]
) -> list[Fault]:
    """Return a fault if no channel reaches *recipient* and no fault of an address says why."""
    for channel in channels:
        if recipient.address(channel):
            return []
    needed = [ADDRESS_FIELD[channel] for channel in channels]
    if any(fault.field in needed for fault in faults):
        return []
    return [Fault(None, f"has no address; fill in {' or '.join(needed)}")]


def recipient_id(text: str) -> str:
    """Return the id; raises ValueError with the reason."""
    if len(text) > _LONGEST_ID:
        msg = f"is longer than {_LONGEST_ID} characters; use a shorter one"
        raise ValueError(msg)
    if not text.isprintable():
        msg = "must be one line without control characters"
        raise ValueError(msg)
    return text


def email(text: str) -> str:
    """Return the address with its domain in lower case; raises ValueError with the reason."""
    # The expression accepts only what the library accepts unchanged, at a tenth of the cost.
    match = _ORDINARY_EMAIL.fullmatch(text)
    if match and match[1] not in _RESERVED:
        return text
    if len(text) > _LONGEST_ADDRESS:
        msg = "is not an e-mail address: it is too long"
        raise ValueError(msg)
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        # The part in brackets may quote the domain.
        reason = str(error).partition(" (")[0].rstrip(".")
        msg = f"is not an e-mail address: {reason[:1].lower()}{reason[1:]}"
        raise ValueError(msg) from error


def phone(text: str) -> str:
    """Return the number in E.164; raises ValueError with the reason."""
    if not _PHONE.fullmatch(text):
        msg = "must be an international number such as +14155552671, + and country code first"
        raise ValueError(msg)
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        msg = "is not a phone number: no country has this code"
        raise ValueError(msg) from error
    # Possible, not valid: whether a range is in use changes faster than the library's tables.
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        msg = "is not a phone number: it has too many or too few digits for its country"
        raise ValueError(msg)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def person_name(text: str) -> str:
    """Return the name; raises ValueError with the reason."""
    if not text.isprintable() and _NOT_ONE_LINE.search(text):
        msg = "must be one line without control characters"
        raise ValueError(msg)
    return text


def locale(text: str) -> str:
    """Return the locale as it was written; raises ValueError with the reason."""
    if not _LOCALE.fullmatch(text):
        msg = "is not a locale such as en or pt-BR"
        raise ValueError(msg)
    return text


@lru_cache(maxsize=1024)
def timezone(text: str) -> str:
    """Return the name of the time zone; raises ValueError with the reason."""
    try:
        if _ZONE.fullmatch(text):
            ZoneInfo(text)
            return text
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    msg = "is not an IANA time zone such as Europe/Paris"
    raise ValueError(msg)


_STANDARD: dict[str, Callable[[str], str]] = {
    "id": recipient_id,
    "email": email,
    "phone": phone,
    "name": person_name,
    "locale": locale,
    "timezone": timezone,
}


def _variables(values: dict[str, str], faults: list[Fault]) -> dict[str, str]:
    for name, text in values.items():
        if text.isprintable():
            continue
        if "\r" in text:
            values[name] = text.replace("\r\n", "\n").replace("\r", "\n")
        if _CONTROL.search(text):
            faults.append(Fault(name, "holds control characters; remove them"))
    return values
