"""What each of Twilio's codes and statuses decides."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.codes import CODES, classify_refusal, failure, meaning, of_callback
from pipeline.domain.errors import (
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import FactKind


def refused(code: object, status: int = 400, retry_after: str | None = None) -> DeliveryError:
    return classify_refusal(status, json.dumps({"code": code, "status": status}), retry_after)


@pytest.mark.parametrize("code", [21211, 21217, 21614, 21268, 30004, 30005, 30006])
def test_number_that_never_gets_sms_is_permanent_and_another_channel_may_be_tried(
    code: int,
) -> None:
    error = refused(code)

    assert isinstance(error, PermanentError)
    assert (error.code, error.suppress, error.fallback) == (f"twilio_{code}", False, True)


def test_a_person_who_opted_out_is_suppressed() -> None:
    error = refused(21610)

    assert isinstance(error, PermanentError)
    assert error.suppress


@pytest.mark.parametrize(("code", "wait"), [(30001, 60), (30003, 1800), (30008, 3600)])
def test_passing_trouble_is_spaced(code: int, wait: float) -> None:
    error = refused(code)

    assert isinstance(error, TransientError)
    assert error.retry_after == wait


@pytest.mark.parametrize("code", [21408, 21606, 21608, 21612, 30007, 14107])
def test_trouble_with_sender_or_text_is_the_breakers(code: int) -> None:
    error = refused(code)

    assert isinstance(error, BlockedError)
    assert not error.fatal


@pytest.mark.parametrize("code", [20003, 20005, 21603, 30002])
def test_trouble_with_the_account_is_fatal(code: int) -> None:
    error = refused(code)

    assert isinstance(error, BlockedError)
    assert error.fatal


def test_unknown_code_is_permanent_without_another_channel() -> None:
    error = refused(21999)

    assert isinstance(error, PermanentError)
    assert (error.code, error.suppress, error.fallback) == ("twilio_21999", False, False)


@given(st.integers(200, 599), st.one_of(st.sampled_from(sorted(CODES)), st.integers(), st.text()))
def test_every_answer_has_a_verdict_with_a_short_code(status: int, code: object) -> None:
    error = refused(code, status)

    assert 0 < len(error.code) <= 20
    assert error.code.replace("_", "").isalnum()


@given(st.integers(500, 599), st.text())
def test_server_error_is_uncertain_whatever_it_says(status: int, text: str) -> None:
    assert isinstance(classify_refusal(status, text, None), UncertainError)


@given(st.text())
def test_429_is_never_taken_for_a_message_that_left(text: str) -> None:
    assert isinstance(classify_refusal(429, text, None), TransientError)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "null", '{"code": null}', '{"code": true}']
)
def test_refusal_that_is_not_twilios_costs_the_recipient_nothing(text: str) -> None:
    if text != '{"code": true}':
        assert classify_refusal(400, text, None).code == "twilio_http_400"
    assert isinstance(classify_refusal(413, "too large", None), BlockedError)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_login_or_address_that_is_refused_without_a_known_code_is_fatal(status: int) -> None:
    for error in (refused(99999, status), classify_refusal(status, "<html>", None)):
        assert isinstance(error, BlockedError)
        assert error.fatal


def test_daily_limit_that_comes_as_429_is_the_breakers() -> None:
    assert isinstance(refused(63038, 429), BlockedError)


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    error = refused(20429, 429, date)

    assert isinstance(error, TransientError)
    assert error.retry_after is not None
    assert 95 < error.retry_after <= 100


@given(st.one_of(st.none(), st.text(), st.integers().map(str)))
def test_wait_is_between_a_second_and_an_hour(header: str | None) -> None:
    error = refused(20429, 429, header)

    assert isinstance(error, TransientError)
    assert error.retry_after is not None
    assert 1.0 <= error.retry_after <= 3600.0


@pytest.mark.parametrize("status", ["queued", "accepted", "scheduled", "sending", "new", ""])
def test_callback_that_says_nothing_is_no_fact(status: str) -> None:
    assert of_callback(status, None) is None


@pytest.mark.parametrize(
    ("status", "error_code", "fact"),
    [
        ("sent", None, (FactKind.SENT, "", False)),
        ("delivered", None, (FactKind.DELIVERED, "", False)),
        ("read", None, (FactKind.DELIVERED, "", False)),
        ("undelivered", 30005, (FactKind.FAILED, "twilio_30005", False)),
        ("failed", 21610, (FactKind.FAILED, "twilio_21610", True)),
        ("failed", 12345, (FactKind.FAILED, "twilio_12345", False)),
        ("undelivered", None, (FactKind.FAILED, "twilio_undelivered", False)),
        ("canceled", None, (FactKind.FAILED, "twilio_canceled", False)),
    ],
)
def test_callback_becomes_a_fact(
    status: str, error_code: int | None, fact: tuple[FactKind, str, bool]
) -> None:
    assert of_callback(status, error_code) == fact


def test_message_that_moves_on_has_no_failure_even_with_a_code() -> None:
    # Twilio's own example of a fetched message is "sent" with error_code 30007.
    assert failure("sent", 30007) is None


def test_every_code_has_words_of_its_own() -> None:
    for number in CODES:
        assert meaning(number).detail
