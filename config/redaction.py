"""Redaction of logs: nothing in them is worth money or names a person."""

import re
from collections.abc import Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

REDACTED = "[redacted]"

_MAX_DEPTH = 8
_MAX_LENGTH = 100_000

# Values under these names are never shown.
_SECRET_NAME = re.compile(
    r"(^|[_-])(password|passwd|pwd|passphrase|authorization|cookie|credentials?|api[_-]?key|secret[\w-]*"
    r"|\w*tokens?|phones?|msisdn)$",
    re.IGNORECASE,
)
# Values under these names are shown only if they are numbers: those are counts.
_PERSONAL_NAME = re.compile(
    r"(^|[_-])(links?|urls?|e?mails?|addresse?s?|to|cc|bcc|body|html|subject|payload"
    r"|(recipient|full|first|last)_name)$",
    re.IGNORECASE,
)

_COLON = r"(?::|%(?:25)*3A|\\+u003a)"
_SLASH = r"(?:\\*/|%(?:25)*2F|\\+u002f)"

# Every repetition that can fail is bounded, so that a long text costs linear time.
_IN_TEXT = [
    # Web addresses, also inside JSON and query strings. An apostrophe belongs to a URL.
    (re.compile(rf'https?{_COLON}{_SLASH}{_SLASH}[^\s"<>]*', re.IGNORECASE), REDACTED),
    # The user and password of any other URL; a password may hold an unquoted @ or /.
    (re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)\S{0,1000}@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (
        re.compile(
            r"((?:pass(?:word|wd|phrase)|authorization|token|api[_-]?key|secret[\w-]{0,20})"
            r"[\"']?\s{0,9}[=:]\s{0,9})"
            r"(?:'[^']{1,1000}'|\"[^\"]{1,1000}\"|[^\s\"',;}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?<![\w-])[A-Za-z0-9_-]{43}=(?![\w=-])"), REDACTED),  # a Fernet key
    (re.compile(r"(?<![\w-])gAAAA[\w-]{60,}={0,2}"), REDACTED),  # a Fernet token
    (re.compile(r"[^\s<>()\[\],;:\"'=@]{1,320}@[^\s<>()\[\],;:\"'@]+"), REDACTED),
    (re.compile(r"\"[^\"\n]{1,64}\"@[^\s<>()\[\],;:\"'@]+"), REDACTED),
    (re.compile(r"(?<![\w.:+-])\+[1-9][0-9]{6,14}(?![0-9:])"), REDACTED),  # E.164
]

_WORD = re.compile(r"[\w.-]{0,40}")
"""Too short for a key, too plain for the rest: most of what is logged, and 20 times quicker."""

_PLAIN = (str, date, time, timedelta, Decimal, Enum, PurePath, UUID)
"""What is shown as its own text; of anything else, a log shows the type alone."""


def mask_secrets(text: str) -> str:
    """Return *text* without web addresses, e-mail addresses, phone numbers, keys, passwords."""
    if _WORD.fullmatch(text):
        return text
    if len(text) > _MAX_LENGTH:
        return f"[{len(text)} characters]"
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """
    Mask every value of a log event, however deep, and drop what stands under a telling name.

    A structlog processor; runs after exceptions have become text and before the renderer, so
    that afterwards only strings, numbers and collections of them are left.
    """
    return {mask_secrets(str(name)): _field(str(name), value, 0) for name, value in event.items()}


def _field(name: str, value: object, depth: int) -> Any:  # noqa: ANN401 - what JSON can hold
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name):
        return REDACTED
    if _PERSONAL_NAME.search(name) and not isinstance(value, int | float):
        return REDACTED
    return _value(value, depth)


def _value(value: object, depth: int) -> Any:  # noqa: ANN401 - what JSON can hold
    if value is None or type(value) in {bool, int, float}:
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {
            mask_secrets(str(key)): _field(str(key), part, depth + 1)
            for key, part in value.items()
        }
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | AbstractSet):
        return [_value(part, depth + 1) for part in value]
    return mask_secrets(_text(value))


def _text(value: object) -> str:
    if isinstance(value, _PLAIN):
        return str(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    return f"<{type(value).__name__}>"
