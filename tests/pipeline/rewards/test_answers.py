"""Which error an answer becomes is what every caller decides by."""

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.errors import (
    CredentialsError,
    DuplicateOrderError,
    FundsError,
    OrderNotFoundError,
    RefusedError,
    RewardsError,
    RewardsUnavailableError,
)
from pipeline.rewards.answers import ApiAnswer, ApiCall, classify, retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
EVERY_CALL = list(ApiCall)


def _answer(status: int, body: bytes = b"", **headers: str) -> ApiAnswer:
    named = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return ApiAnswer(status=status, headers=named, body=body, hidden=("hush-hush",))


@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize("status", [301, 307, 408, 425, 429, 500, 502, 503, 504, 599])
def test_a_passing_failure_is_unavailable_for_every_call(call: ApiCall, status: int) -> None:
    error = classify(call, _answer(status, b'{"message": "words"}', Retry_After="7"))
    assert isinstance(error, RewardsUnavailableError)
    assert (error.code, error.retry_after, error.sent) == (f"http_{status}", 7.0, True)


@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize("status", [401, 403])
def test_credentials_are_credentials_for_every_call(call: ApiCall, status: int) -> None:
    error = classify(call, _answer(status, b'{"message": "API access is disabled"}'))
    assert isinstance(error, CredentialsError)
    assert error.detail == "API access is disabled"


@pytest.mark.parametrize(
    ("call", "status", "expected"),
    [
        (ApiCall.CREATE_ORDER, 400, RefusedError),
        (ApiCall.CREATE_ORDER, 404, RefusedError),
        (ApiCall.CREATE_ORDER, 405, RefusedError),
        (ApiCall.CREATE_ORDER, 409, DuplicateOrderError),
        (ApiCall.CREATE_ORDER, 413, RefusedError),
        (ApiCall.CREATE_ORDER, 422, FundsError),
        (ApiCall.READ_ORDER, 400, RefusedError),
        (ApiCall.READ_ORDER, 404, OrderNotFoundError),
        (ApiCall.READ_ORDER, 409, RefusedError),
        (ApiCall.READ_ORDER, 410, OrderNotFoundError),
        (ApiCall.READ_ORDER, 422, RefusedError),
        (ApiCall.TOKEN, 404, RefusedError),
        (ApiCall.TOKEN, 409, RefusedError),
        (ApiCall.PRODUCTS, 404, RefusedError),
        (ApiCall.PRODUCTS, 422, RefusedError),
    ],
)
def test_a_refusal_depends_on_what_was_asked(
    call: ApiCall, status: int, expected: type[RewardsError]
) -> None:
    assert type(classify(call, _answer(status))) is expected


@given(st.sampled_from(EVERY_CALL), st.integers(300, 599), st.binary(max_size=50))
def test_every_status_is_a_decision(call: ApiCall, status: int, body: bytes) -> None:
    error = classify(call, _answer(status, body))
    assert error.code in {f"http_{status}", "duplicate_po"}
    assert len(error.detail) <= 300


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"Id": "A-17"}', "A-17"), (b'{"id": 17}', "17"), (b"{}", None), (b"<html>", None)],
)
def test_a_duplicate_names_the_original_order(body: bytes, expected: str | None) -> None:
    error = classify(ApiCall.CREATE_ORDER, _answer(409, body))
    assert isinstance(error, DuplicateOrderError)
    assert error.order_id == expected


def test_a_refusal_shows_the_words_of_the_api_without_secrets() -> None:
    body = b'{"message": "hush-hush: see https://claim.example/aaa111 or ask ann@example.com"}'
    error = classify(ApiCall.CREATE_ORDER, _answer(400, body))
    assert str(error) == "http_400: […]: see […] or ask […]"
    assert "hush" not in repr(_answer(400, body))


@pytest.mark.parametrize(
    ("raised", "code", "sent"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "unreachable", False),
        (httpx.ProxyError("403 Forbidden"), "unreachable", False),
        (httpx.ConnectTimeout(""), "connect_timeout", False),
        (httpx.PoolTimeout(""), "pool_timeout", False),
        (httpx.ReadTimeout(""), "timeout", True),
        (httpx.WriteTimeout(""), "timeout", True),
        (TimeoutError(), "timeout", True),
        (httpx.ReadError(""), "reset", True),
        (httpx.WriteError(""), "reset", True),
        (httpx.RemoteProtocolError("illegal header line: bytearray(b'hush')"), "reset", True),
        (httpx.LocalProtocolError("Illegal header value b'hush'"), "reset", True),
        (ssl.SSLError("decryption failed"), "reset", True),
        (ConnectionResetError(), "reset", True),
        (httpx.DecodingError("hush"), "unreadable_answer", True),
        (ValueError("hush"), "unreadable_answer", True),
    ],
)
@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_broken_line_says_whether_the_request_may_have_arrived(
    call: ApiCall, raised: Exception, code: str, *, sent: bool
) -> None:
    error = classify(call, raised)
    assert isinstance(error, RewardsUnavailableError)
    assert (error.code, error.sent, error.retry_after) == (code, sent, None)
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("", None),
        ("٣", None),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 12:02:00 -0000", 120.0),
        ("Sun, 22 Nov 2026 14:02:00 +0200", 120.0),
        ("Sunday, 22-Nov-26 12:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Sun, 99 Nov 2026 12:02:00 GMT", None),
        ("Sun, 22 Nov 2026 12:02:00 +9999999", None),
    ],
)
def test_retry_after_is_understood_in_both_forms_and_clamped(
    text: str, seconds: float | None
) -> None:
    assert retry_after({"Retry-After": text}, NOW) == seconds


def test_without_retry_after_there_is_none() -> None:
    assert retry_after(httpx.Headers(), NOW) is None


def test_a_date_is_compared_with_the_servers_own_clock() -> None:
    ahead = NOW + timedelta(minutes=10)
    headers = {
        "Date": format_datetime(ahead, usegmt=True),
        "Retry-After": format_datetime(ahead + timedelta(seconds=30), usegmt=True),
    }
    assert retry_after(httpx.Headers(headers), NOW) == 30.0
    assert retry_after(httpx.Headers({**headers, "Date": "never"}), NOW) == 630.0


@given(st.text())
def test_any_retry_after_is_none_or_at_most_an_hour(text: str) -> None:
    wait = retry_after({"Retry-After": text}, NOW)
    assert wait is None or 0 <= wait <= 3600
