import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.models import ChannelName, Recipient
from pipeline.store.formats.recipient_codec import (
    canonical,
    channel_mask,
    decode_batch,
    encode_batch,
)

texts = st.text(st.characters(codec="utf-8"), max_size=12)
recipients = st.builds(
    Recipient,
    id=texts,
    email=texts,
    phone=texts,
    name=texts,
    locale=texts,
    timezone=texts,
    variables=st.dictionaries(texts, texts, max_size=4),
)


@given(st.lists(recipients, max_size=8))
def test_a_batch_comes_back_as_it_was(batch: list[Recipient]) -> None:
    assert decode_batch(encode_batch(batch)) == batch


def test_names_of_variables_are_written_once() -> None:
    batch = [Recipient(id=str(n), variables={"loyalty points": "7"}) for n in range(100)]

    assert encode_batch(batch).count(b"loyalty points") == 1


@given(recipients, recipients)
def test_canonical_form_is_one_line_and_differs_when_content_does(
    one: Recipient, other: Recipient
) -> None:
    def content(recipient: Recipient) -> tuple[object, ...]:
        filled = {key: value for key, value in recipient.variables.items() if value}
        return (*(getattr(recipient, name) for name in Recipient.__slots__[:6]), filled)

    assert (canonical(one) == canonical(other)) == (content(one) == content(other))
    assert canonical(one).splitlines(keepends=True) == [canonical(one)]


@given(recipients)
def test_canonical_form_is_the_json_that_the_digests_of_earlier_campaigns_were_made_of(
    recipient: Recipient,
) -> None:
    fields = [getattr(recipient, name) for name in Recipient.__slots__[:6]]
    filled = sorted(item for item in recipient.variables.items() if item[1])
    text = json.dumps([*fields, filled], ensure_ascii=False, separators=(",", ":"))
    assert canonical(recipient) == f"{text}\n".encode()


def test_canonical_form_has_not_changed() -> None:
    person = Recipient(
        id='"1"\\/',
        email="a@b.co",
        name="Zoë\x7f\u2028😀",
        variables={"b": "\n\t\x01", "a": "x", "c": ""},
    )
    assert (
        canonical(person)
        == (
            '["\\"1\\"\\\\/","a@b.co","","Zoë\x7f\u2028😀","","",'
            '[["a","x"],["b","\\n\\t\\u0001"]]]\n'
        ).encode()
    )


def test_mask_has_a_bit_for_each_channel_in_the_order_given() -> None:
    email, sms = ChannelName.EMAIL, ChannelName.SMS
    both = Recipient(id="1", email="a@example.com", phone="+14155552671")
    phone = Recipient(id="2", phone="+14155552671")

    assert channel_mask(both, [email, sms]) == 0b11
    assert channel_mask(phone, [email, sms]) == 0b10
    assert channel_mask(phone, [sms]) == 0b1
    assert channel_mask(Recipient(id="3"), [email, sms]) == 0
