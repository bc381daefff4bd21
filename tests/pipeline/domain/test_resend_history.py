"""Which resend number went to which address, after any number of resends."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.models import ChannelName, Recipient
from pipeline.domain.resend_history import (
    LAST_RESEND_NUMBER,
    Resend,
    address_of,
    at_current_addresses,
)
from pipeline.store.formats.resends import decode_resends, encode_resends

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
ANN = Recipient(id="a", email="ann@example.com", phone="+15550100")

resends = st.builds(
    Resend,
    channel=st.sampled_from(ChannelName),
    number=st.integers(2, LAST_RESEND_NUMBER),
    address=st.text(),
    at_ms=st.integers(0, 2**45),
)


@given(st.lists(resends).map(tuple))
def test_stored_resends_are_read_again(found: tuple[Resend, ...]) -> None:
    assert decode_resends(encode_resends(found)) == found


@given(st.lists(st.tuples(st.sampled_from([EMAIL, SMS]), st.text(min_size=1)), max_size=9))
def test_each_resend_number_keeps_its_address(
    resends: list[tuple[ChannelName, str]],
) -> None:
    made: list[Resend] = []
    for channel, address in resends:
        number = 2 + sum(1 for each in made if each.channel is channel)
        made.append(Resend(channel=channel, number=number, address=address, at_ms=0))
    for each in made:
        assert address_of(ANN, tuple(made), each.channel, each.number) == each.address
    for channel in (EMAIL, SMS):
        assert address_of(ANN, tuple(made), channel, 1) == ANN.address(channel)
        last = [each.address for each in made if each.channel is channel]
        current = at_current_addresses(ANN, tuple(made)).address(channel)
        assert current == (last[-1] if last else ANN.address(channel))
