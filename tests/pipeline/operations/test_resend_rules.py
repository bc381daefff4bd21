"""The rules of resending: when there is nothing to resend, how soon, and how far."""

from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName, DeliveryStatus, Recipient
from pipeline.domain.resend_history import LAST_RESEND_NUMBER, Resend
from pipeline.operations.resend_rules import (
    COOLDOWN_MS,
    ResendCandidate,
    ResendRequest,
    decide_resend,
)
from pipeline.store.formats.records import DeliveryRecord

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
SENT, FAILED, PENDING = DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.PENDING
OTHER = "other@example.com"
REACHED = DeliveryRecord(channel=EMAIL, status=SENT, attempt=1, started_ms=5_000)
FAILURE = replace(REACHED, status=FAILED, code="smtp_550")
BY_SMS = DeliveryRecord(channel=SMS, status=SENT, attempt=1, started_ms=9_000)


def a_person(*records: DeliveryRecord, **more: object) -> ResendCandidate:
    person = ResendCandidate(
        recipient=Recipient(id="a", email="ann@example.com", phone="+15550100"),
        records=records,
        earlier=(),
        resends=(),
        channels=[EMAIL, SMS],
        mode="first",
        linked=True,
        epoch_ms=1_700_000_000_000,
        now_ms=1_700_000_000_000 + 5_000 + COOLDOWN_MS,
    )
    return replace(person, **more)  # type: ignore[arg-type]


def later(person: ResendCandidate) -> ResendCandidate:
    return replace(person, now_ms=person.now_ms + COOLDOWN_MS)


def test_a_reached_person_gets_the_next_resend_at_the_same_address() -> None:
    made = decide_resend(a_person(REACHED), ResendRequest())
    assert (made.channel, made.number, made.address) == (EMAIL, 2, "ann@example.com")


@pytest.mark.parametrize("status", ["failed", "bounced", "suppressed", "uncertain", "delivered"])
def test_it_works_whatever_became_of_the_last_message(status: str) -> None:
    record = replace(REACHED, status=DeliveryStatus(status))
    assert decide_resend(a_person(record), ResendRequest()).number == 2


def test_without_a_channel_it_is_the_one_that_was_tried_last() -> None:
    assert decide_resend(later(a_person(FAILURE, BY_SMS)), ResendRequest()).channel is SMS
    assert decide_resend(
        later(a_person(REACHED, replace(BY_SMS, attempt=0))), ResendRequest()
    ).channel is (EMAIL)


@given(st.integers(0, COOLDOWN_MS - 1))
def test_a_delivery_that_just_started_is_not_resent_even_if_confirmed(ago: int) -> None:
    person = a_person(REACHED, now_ms=1_700_000_000_000 + 5_000 + ago)
    with pytest.raises(InputError, match="wait ") as refused:
        decide_resend(person, ResendRequest(elsewhere=True))
    wait = int(str(refused.value).split("wait ")[1].split()[0])
    assert ago + wait * 1000 >= COOLDOWN_MS > ago + (wait - 1) * 1000


def test_the_cooldown_counts_from_any_channel_and_resend() -> None:
    recent = replace(REACHED, started_ms=COOLDOWN_MS)
    with pytest.raises(InputError, match="wait "):
        decide_resend(a_person(FAILURE, earlier=(recent,)), ResendRequest())


def test_another_address_after_the_link_was_sent_needs_a_confirmation() -> None:
    request = ResendRequest(channel=EMAIL, address=OTHER)
    with pytest.raises(InputError) as refused:
        decide_resend(a_person(REACHED), request)
    told = str(refused.value)
    assert "sent by e-mail to a…@example.com at 2023-11-14T22:13:25" in told
    assert OTHER not in told
    assert "ann@" not in told
    assert decide_resend(a_person(REACHED), replace(request, elsewhere=True)).address == OTHER


@pytest.mark.parametrize("status", ["failed", "bounced", "suppressed"])
def test_another_address_needs_no_confirmation_if_nothing_arrived(status: str) -> None:
    record = replace(REACHED, status=DeliveryStatus(status))
    assert (
        decide_resend(a_person(record), ResendRequest(channel=EMAIL, address=OTHER)).address
        == OTHER
    )


def test_another_channel_is_another_address() -> None:
    request = ResendRequest(channel=SMS, address="+15550100")
    with pytest.raises(InputError, match="add --yes"):
        decide_resend(a_person(REACHED), request)
    made = decide_resend(a_person(REACHED), replace(request, elsewhere=True))
    assert (made.channel, made.number) == (SMS, 1)


def test_an_address_that_had_the_link_before_needs_no_confirmation() -> None:
    second = replace(REACHED, resend_number=2)
    went = Resend(channel=EMAIL, number=2, address=OTHER, at_ms=0)
    person = a_person(second, earlier=(REACHED,), resends=(went,))
    for address in (OTHER, "ann@example.com"):
        assert decide_resend(person, ResendRequest(channel=EMAIL, address=address)).number == 3
    with pytest.raises(InputError, match="add --yes"):
        decide_resend(person, ResendRequest(channel=EMAIL, address="third@example.com"))


def test_a_message_with_an_unknown_end_may_have_arrived() -> None:
    left = replace(REACHED, status=DeliveryStatus.SKIPPED, code="superseded")
    with pytest.raises(InputError, match=r"\(uncertain\).* add --yes"):
        decide_resend(a_person(left), ResendRequest(channel=EMAIL, address=OTHER))


def test_what_waits_is_not_resent_but_may_get_another_address_or_channel() -> None:
    person = a_person(DeliveryRecord(channel=EMAIL))
    with pytest.raises(InputError, match="waiting to be sent; there is nothing to resend yet"):
        decide_resend(person, ResendRequest())
    with pytest.raises(InputError, match="nothing to resend yet"):
        decide_resend(person, ResendRequest(channel=EMAIL, address="ann@example.com"))
    assert decide_resend(person, ResendRequest(channel=EMAIL, address=OTHER)).number == 2
    assert decide_resend(person, ResendRequest(channel=SMS, address="+15550100")).channel is SMS


def test_before_there_is_a_link_only_another_address_is_taken() -> None:
    person = a_person(DeliveryRecord(channel=EMAIL), linked=False)
    with pytest.raises(InputError, match="has no link yet"):
        decide_resend(person, ResendRequest())
    assert decide_resend(person, ResendRequest(channel=EMAIL, address=OTHER)).address == OTHER


def test_a_message_on_the_wire_is_not_touched() -> None:
    flying = replace(REACHED, status=DeliveryStatus.SENDING)
    for request in (
        ResendRequest(),
        ResendRequest(channel=SMS, address="+15550100", elsewhere=True),
    ):
        with pytest.raises(InputError, match="on its way at this moment"):
            decide_resend(a_person(flying), request)
    over_both = a_person(flying, replace(BY_SMS, started_ms=1), mode="all")
    assert decide_resend(over_both, ResendRequest(channel=SMS, address="+15550100")).number == 2


def test_a_channel_that_the_campaign_does_not_use_is_refused() -> None:
    with pytest.raises(InputError, match="does not use SMS, only e-mail"):
        decide_resend(
            a_person(REACHED, channels=[EMAIL]), ResendRequest(channel=SMS, address="+15550100")
        )


def test_there_is_a_last_resend() -> None:
    with pytest.raises(InputError, match="resent 254 times"):
        decide_resend(
            a_person(replace(REACHED, resend_number=LAST_RESEND_NUMBER)), ResendRequest()
        )


statuses = st.sampled_from(DeliveryStatus)


@given(first=statuses, second=statuses, mode=st.sampled_from(["first", "all"]))
def test_nothing_overtakes_what_is_on_the_wire(
    first: DeliveryStatus, second: DeliveryStatus, mode: str
) -> None:
    records = (replace(REACHED, status=first), replace(BY_SMS, status=second))
    person = later(a_person(*records, mode=mode))
    try:
        made = decide_resend(person, ResendRequest(elsewhere=True))
    except InputError:
        reject()
    concerned = {record.status for record in person.concerned(made.channel)}
    assert DeliveryStatus.SENDING not in concerned
    before = person.over(made.channel)
    assert before is None or before.status is not PENDING
