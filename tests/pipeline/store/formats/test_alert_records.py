"""The fields and records of alerts, as they are stored and as they are read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.formats.alert_records import (
    Alert,
    AlertCause,
    AlertKind,
    AlertPhase,
    AlertRecord,
    decode_alert,
    decode_record,
    encode_alert,
    encode_next,
    encode_record,
)

RECORD = AlertRecord(
    AlertPhase.NOTIFY_FAILED, at_ms=1_700_000_000_123, since_ms=1_700_000_000_000, tries=3
)
times = st.integers(0, 2**53)


@pytest.mark.parametrize(
    ("cause", "field"),
    [
        (AlertCause("7", AlertKind.ORDERING, "credentials"), "url|7|o|credentials"),
        (AlertCause("7", AlertKind.READING, "credentials"), "url|7|r|credentials"),
        (AlertCause("7", AlertKind.SENDING, "smtp_auth"), "url|7|s|smtp_auth"),
        (AlertCause("7", AlertKind.HELD, "order_failed"), "url|7|held|order_failed"),
        (AlertCause("email", AlertKind.CHANNEL, ""), "url|email|channel|"),
    ],
)
def test_the_field_of_an_alert_never_changes(cause: AlertCause, field: str) -> None:
    assert encode_alert(Alert("url", cause)) == field
    assert decode_alert(field) == Alert("url", cause)


@given(
    st.from_regex(r"[a-z]{1,5}", fullmatch=True),
    st.sampled_from(AlertKind),
    st.from_regex(r"[a-z0-9_.|]{0,20}", fullmatch=True),
)
def test_an_alert_can_be_read_back_from_its_field(
    subject: str, kind: AlertKind, code: str
) -> None:
    alert = Alert("url", AlertCause(subject, kind, code))
    assert decode_alert(encode_alert(alert)) == alert


def test_a_record_has_its_times_its_phase_and_its_tries() -> None:
    assert encode_record(RECORD) == "1700000000123 untold 1700000000000 3"


@given(st.sampled_from([phase for phase in AlertPhase if phase]), times, times, times)
def test_a_record_can_be_read_back(
    phase: AlertPhase, at_ms: int, since_ms: int, tries: int
) -> None:
    record = AlertRecord(phase, at_ms, since_ms, tries)
    assert decode_record(encode_record(record)) == record


def test_the_next_record_is_written_without_its_time() -> None:
    assert encode_next(RECORD.becomes(AlertPhase.NOTIFYING, 4)) == "telling 1700000000000 4"
    assert encode_next(RECORD.becomes(AlertPhase.NOTIFIED)) == "told 1700000000000 0"
    assert encode_next(RECORD.becomes(AlertPhase.REMOVED)) == ""


@pytest.mark.parametrize("field", ["", "url|7|o", "url|7|order|credentials"])
def test_a_malformed_field_of_an_alert_is_refused(field: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        decode_alert(field)


@pytest.mark.parametrize("text", ["", "1 told 1", "1 tolt 1 0", "x told 1 0"])
def test_a_malformed_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the words
        decode_record(text)
