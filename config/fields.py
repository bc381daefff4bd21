"""The kinds of values that settings have, read from the text of environment variables."""

import base64
import re
from collections.abc import Iterable
from datetime import timedelta
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator, SecretStr

_UNITS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^\s*([0-9]{1,7}(?:\.[0-9]{1,6})?)\s*([a-z]*)\s*$", re.IGNORECASE)
_RATE = re.compile(r"^(?!0+\s*/)[0-9]{1,9}\s*/\s*[smhd]$")
_FERNET_KEY = re.compile(r"^[A-Za-z0-9_-]{43}=$")  # 32 bytes
_LOOPBACK = re.compile(r"^(localhost|127(\.\d{1,3}){3}|::1)$", re.IGNORECASE)

_SHORTEST_SECRET, _LONGEST_SECRET = 24, 64  # bytes, Standard Webhooks 1.0.0, "Signature scheme"


def parse_duration(text: object, *, unit: int = 1) -> timedelta:
    """
    Read `30`, `30s`, `15 min`, `6h` or `90 d`; a bare number counts *unit* seconds.

    Raises ValueError with what was expected. A timedelta is returned as it is.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.match(str(text))
    scale = _UNITS.get(match[2].lower()) if match else None
    if match is None or scale is None or float(match[1]) == 0:
        msg = "must be a length of time such as 30s, 15 min, 6h or 90 d"
        raise ValueError(msg)
    return timedelta(seconds=float(match[1]) * (scale if match[2] else unit))


def _days(text: object) -> timedelta:
    if str(text).strip().lower() in {"0", "off"}:
        return timedelta(0)
    return parse_duration(text, unit=86400)


def _rate(text: str) -> str:
    text = text.strip().lower()
    if text != "unlimited" and not _RATE.match(text):
        msg = "must be a rate such as 5/s, 300/m, 1000/h or unlimited"
        raise ValueError(msg)
    return text


def _split(text: str, schemes: str, *, needs_host: bool = True) -> SplitResult:
    try:
        parts = urlsplit(text)
        hostname, _ = parts.hostname, parts.port
    except ValueError:
        parts, hostname = SplitResult("", "", "", "", ""), None
    host_missing = needs_host and not hostname
    if parts.scheme not in schemes.split() or host_missing or not text.isprintable():
        wanted = " or ".join(f"{scheme}://" for scheme in schemes.split())
        msg = f"must be a URL that starts with {wanted}"
        raise ValueError(msg)
    return parts


def _hook_url(text: str) -> str:
    text = text.strip()
    parts = _split(text, "https http")
    if parts.scheme == "http" and not _LOOPBACK.match(parts.hostname or ""):
        msg = "must start with https:// (http:// is for this machine only)"
        raise ValueError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "must be a plain URL, without a user, a query or a fragment"
        raise ValueError(msg)
    return text


def _service_url(text: str) -> str:
    return _hook_url(text).rstrip("/")


def _secret_web_url(secret: SecretStr) -> SecretStr:
    _split(secret.get_secret_value(), "https http")
    return secret


def _redis_url(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    parts = _split(text, "redis rediss unix", needs_host=False)
    if parts.scheme == "unix" and not parts.path.startswith("/"):
        msg = "must name an absolute path, as in unix:///run/valkey.sock"
        raise ValueError(msg)
    if parts.scheme != "unix" and not parts.hostname:
        msg = "must name a host, as in redis://localhost:6379/0"
        raise ValueError(msg)
    return secret


def are_fernet_keys(text: str) -> bool:
    """Tell whether *text* is a comma-separated list of one or more Fernet keys."""
    keys = split_list(text)
    return bool(keys) and all(_FERNET_KEY.match(key) for key in keys)


def _fernet_keys(secret: SecretStr) -> SecretStr:
    if not are_fernet_keys(secret.get_secret_value()):
        msg = "must hold Fernet keys, comma-separated: 32 bytes in URL-safe base64 each"
        raise ValueError(msg)
    return secret


def _webhook_secret(secret: SecretStr) -> SecretStr:
    encoded = secret.get_secret_value().strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not _SHORTEST_SECRET <= len(key) <= _LONGEST_SECRET:
        msg = "must be whsec_ and 24 to 64 bytes in base64"
        raise ValueError(msg)
    return SecretStr(encoded)


def _mailbox(text: str) -> str:
    _, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not local or not domain or not text.isprintable():
        msg = 'must be an address, plain or as "Name <address>"'
        raise ValueError(msg)
    return text.strip()


def _jmespath(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        msg = "must be a JMESPath expression, such as LineItems[].Links[].Url"
        raise ValueError(msg) from error
    return text


def split_list(text: str | Iterable[str]) -> tuple[str, ...]:
    """Return the parts of a comma-separated list, without blanks and empty ones."""
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(part.strip() for part in parts if part.strip())


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Days = Annotated[timedelta, BeforeValidator(_days)]
"""A length of time in days; `0` and `off` are none at all."""
RateText = Annotated[str, AfterValidator(_rate)]
HookUrl = Annotated[str, AfterValidator(_hook_url)]
"""Kept as written: with and without a slash at the end are two addresses."""
ServiceUrl = Annotated[str, AfterValidator(_service_url)]
SecretWebUrl = Annotated[SecretStr, AfterValidator(_secret_web_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
FernetKeys = Annotated[SecretStr, AfterValidator(_fernet_keys)]
MailboxText = Annotated[str, AfterValidator(_mailbox)]
JmesPath = Annotated[str, AfterValidator(_jmespath)]
Words = Annotated[tuple[str, ...], BeforeValidator(split_list)]
