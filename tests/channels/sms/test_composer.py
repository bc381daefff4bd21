"""The text of an SMS, and the people who cannot get one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import SmsComposer
from channels.sms.composer import MAX_BODY
from pipeline.domain.campaign import SmsContent
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import DeliveryKey, Message, Recipient, ReturnPaths

LINK = "https://claim.example.com/c/abc?x=1&y=2"
ADA = Recipient(id="r1", name="Ada", phone="+4915112345678")


def compose(
    body: str = "{{ name }}: {{ link }}",
    recipient: Recipient = ADA,
    returns: ReturnPaths | None = None,
) -> Message:
    composer = SmsComposer(SmsContent(body=body))
    return composer.compose(
        recipient, LINK, DeliveryKey("k"), sent_at=1e9, returns=returns or ReturnPaths()
    )


def refusal(**arguments: object) -> str:
    with pytest.raises(PermanentError) as caught:
        compose(**arguments)  # type: ignore[arg-type]  # a test's keywords
    assert "claim.example" not in str(caught.value)
    return caught.value.code


def test_message_has_what_the_channel_needs() -> None:
    callback = "https://claims.example.com/webhooks/twilio/t"
    message = compose(returns=ReturnPaths(callback=callback))

    assert message == Message(
        key=DeliveryKey("k"),
        to=ADA.phone,
        content=f"Ada: {LINK}".encode(),
        callback=callback,
        link=LINK,
    )


def test_message_without_a_way_back_has_no_callback() -> None:
    assert compose().callback == ""


def test_white_space_at_the_end_is_not_paid_for() -> None:
    assert compose("{{ link }}. \r\n\n").content == f"{LINK}.".encode()


def test_nothing_is_escaped_in_a_text() -> None:
    recipient = Recipient(id="r1", name="<Ada & Co>", phone=ADA.phone)

    assert compose(recipient=recipient).content == f"<Ada & Co>: {LINK}".encode()


@pytest.mark.parametrize("phone", ["", "015112345678", "+0151", "+49 151 123", "+4915112345678\n"])
def test_number_that_is_not_e164_is_refused(phone: str) -> None:
    assert refusal(recipient=Recipient(id="r1", phone=phone)) == "sms_bad_number"


@pytest.mark.parametrize(
    "body", ["Hello", "{{ link[:9] }}", "{% if locale %}{{ link }}{% endif %}"]
)
def test_text_without_the_whole_link_is_refused(body: str) -> None:
    assert refusal(body=body) == "sms_no_link"


@pytest.mark.parametrize("filling", ["x", "🎁"])
def test_text_is_at_most_1600_code_units(filling: str) -> None:
    room = (MAX_BODY - len(LINK)) // (len(filling.encode("utf-16-le")) // 2)

    assert compose(filling * room + "{{ link }}")
    assert refusal(body=filling * (room + 1) + "{{ link }}") == "sms_too_long"


def test_template_that_is_broken_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"sms\.body, line 1"):
        SmsComposer(SmsContent(body="{{ link"))


@given(st.text(max_size=200))
def test_any_name_gives_a_text_that_can_be_sent(name: str) -> None:
    message = compose(recipient=Recipient(id="r1", name=name, phone=ADA.phone))

    assert message.content.decode().endswith(LINK)
