"""The compact record of a recipient's deliveries, as Lua writes it and Python reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.store.formats.records import (
    DeliveryRecord,
    initial_records,
    parse_record,
    reachable,
)

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS


def test_a_record_is_read_as_it_is_written() -> None:
    assert parse_record("fe1.3.2.1500.20.smtp_550_5.1.1;ps1.0.0.0.0.") == (
        DeliveryRecord(
            channel=EMAIL,
            status=DeliveryStatus.FAILED,
            attempt=3,
            tries=2,
            started_ms=1500,
            after_ms=20,
            code="smtp_550_5.1.1",
        ),
        DeliveryRecord(channel=SMS),
    )


@pytest.mark.parametrize("text", ["", ";", "pe1.0.0.0.0", "zz1.0.0.0.0.", "pe1.0.0.0.0.;"])
def test_a_malformed_record_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_record(text)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=100))
def test_the_plan_says_which_channels_reach_a_recipient(masks: list[int]) -> None:
    plan = "".join(chr(48 + mask) for mask in masks)
    for index, mask in enumerate(masks):
        found = reachable((EMAIL, SMS), plan, index)
        assert found == [c for bit, c in ((1, EMAIL), (2, SMS)) if mask & bit]
        assert [r.channel for r in initial_records((EMAIL, SMS), "all", plan, index)] == found
        assert [r.channel for r in initial_records((EMAIL, SMS), "first", plan, index)] == found[
            :1
        ]
