"""Names that are stored for ever, and that follow from their parts."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.models import ChannelName, delivery_key

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
ids = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,39}\Z")


def test_delivery_keys_never_changed() -> None:
    assert delivery_key("survey-2026-11", "r-1", EMAIL) == "6b08c472-2346-5917-8ccd-b34631a1f49b"
    assert delivery_key("survey-2026-11", "r-1", SMS, 2) == "257b7991-5670-56db-96d0-ac62ad3f403a"
    found = delivery_key("survey-2026-11", "Zoë 日本", ChannelName.WEBHOOK, 10)
    assert found == "85221cd0-555a-5915-83be-26eed43d8cf8"


@given(st.text(), st.text(), st.sampled_from(ChannelName), st.integers(1, 100))
def test_a_delivery_key_is_the_uuid_of_its_parts(
    campaign: str, recipient: str, channel: ChannelName, resend_number: int
) -> None:
    name = f"{campaign}\n{channel}\n{resend_number}\n{recipient}"
    found = delivery_key(campaign, recipient, channel, resend_number)
    assert found == str(uuid5(UUID("6f2f4f5e-6f0b-5b0e-9d53-1f8d0c1a7c11"), name))


@given(
    *[st.tuples(ids, st.text(min_size=1), st.sampled_from([EMAIL, SMS]), st.integers(1, 9))] * 2
)
def test_no_two_deliveries_share_a_key(
    one: tuple[str, str, ChannelName, int], two: tuple[str, str, ChannelName, int]
) -> None:
    keys = [delivery_key(c, r, channel, g) for c, r, channel, g in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)
