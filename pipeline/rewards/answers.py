"""What an answer of the rewards API, or a broken line, means for the caller."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto

import httpx

from pipeline.domain.errors import (
    CredentialsError,
    DuplicateOrderError,
    FundsError,
    OrderNotFoundError,
    RefusedError,
    RewardsError,
    RewardsUnavailableError,
)
from pipeline.domain.safe_text import clean
from pipeline.rewards.document import parse_json
from pipeline.rewards.fields import original_order_id
from pipeline.rewards.words import api_words

_LONGEST_WAIT = 3600.0
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_AGAIN = frozenset({408, 425, 429})


class ApiCall(Enum):
    """Which request it was: the same status means different things."""

    TOKEN = auto()
    PRODUCTS = auto()
    CREATE_ORDER = auto()
    READ_ORDER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """
    A complete answer; *hidden* are the secrets of its request, which it may echo.

    *tokens_refused* goes with a 401 under a token, see CredentialsError.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)
    tokens_refused: int | None = None


def classify(call: ApiCall, failure: ApiAnswer | Exception) -> RewardsError:
    """
    Return the error that *failure* is, by which the caller decides what to do.

    *failure* is an ApiAnswer that refuses something, what httpx raised, or the reason why an
    answer of 2xx cannot be read. The error holds no body, token, link or address.
    """
    if not isinstance(failure, ApiAnswer):
        return _broken(failure)
    if failure.status < 400 or failure.status in _AGAIN or failure.status >= 500:
        return _unavailable(failure)
    return _refusal(call, failure)


def _broken(error: Exception) -> RewardsUnavailableError:
    """Name what happened to the line; the texts of most errors quote what was on it."""
    sent = not isinstance(error, _NEVER_LEFT)
    match error:
        case httpx.ConnectTimeout():
            return RewardsUnavailableError("connect_timeout", sent=sent)
        case httpx.PoolTimeout():
            return RewardsUnavailableError("pool_timeout", sent=sent)
        case httpx.TimeoutException() | TimeoutError():
            return RewardsUnavailableError("timeout", "no complete answer in time", sent=sent)
        case httpx.ConnectError() | httpx.ProxyError():
            return RewardsUnavailableError("unreachable", clean(str(error), 200), sent=sent)
        case ValueError() | httpx.DecodingError():
            return unreadable("the answer cannot be read")
        case _:
            return RewardsUnavailableError("reset", "the connection broke", sent=sent)


def unreadable(detail: str) -> RewardsUnavailableError:
    """Return the error for an answer that makes no sense: whether it took effect is unknown."""
    return RewardsUnavailableError("unreadable_answer", detail)


def _unavailable(answer: ApiAnswer) -> RewardsUnavailableError:
    wait = retry_after(answer.headers, datetime.now(UTC))
    if answer.status < 400:
        detail = "the API answers with a redirect; check CLAIMCAST_REWARDS__BASE_URL"
        return RewardsUnavailableError(f"http_{answer.status}", detail, retry_after=wait)
    return RewardsUnavailableError(f"http_{answer.status}", retry_after=wait)


def _refusal(call: ApiCall, answer: ApiAnswer) -> RewardsError:
    code = f"http_{answer.status}"
    # Whatever else stands in an answer about a token may be one.
    words = api_words(answer.body, answer.hidden, only_messages=call is ApiCall.TOKEN)
    match call, answer.status:
        case _, 401 | 403:
            return CredentialsError(code, words, tokens_refused=answer.tokens_refused)
        case ApiCall.CREATE_ORDER, 409:
            return DuplicateOrderError(_original(answer.body))
        case ApiCall.CREATE_ORDER, 422:
            return FundsError(code, words)
        case ApiCall.READ_ORDER, 404 | 410:
            return OrderNotFoundError(code, words)
        case _:
            return RefusedError(code, words)


def _original(body: bytes) -> str | None:
    try:
        return original_order_id(parse_json(body))
    except ValueError:
        return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Return the wait that an answer asks for, in seconds, clamped to an hour (RFC 9110, 10.2.3).

    A date is compared with the answer's own Date, or with *now*. None if it asks for nothing
    that can be understood.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_WAIT)
    until = _http_date(text)
    if until is None:
        return None
    since = _http_date(headers.get("Date", "")) or now
    return min(max((until - since).total_seconds(), 0.0), _LONGEST_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
