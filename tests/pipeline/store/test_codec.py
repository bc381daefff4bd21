"""The letters that are stored: each word has one, the scripts know the same, none ever changes."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.batch import Lane, Unit
from pipeline.domain.models import BatchState, ChannelName, DeliveryStatus, FactKind
from pipeline.domain.ports import SEARCHABLE
from pipeline.store.codec import (
    CHANNEL,
    CHANNEL_LETTER,
    FACT_LETTER,
    LANE,
    LANE_LETTER,
    STATUS,
    decode_unit,
    encode_unit,
)

STATUS_LETTER = {status: letter for letter, status in STATUS.items()}
STATE_OF = {
    Lane.ORDER: BatchState.PLANNED,
    Lane.READ: BatchState.ORDERED,
    Lane.SEND: BatchState.FULFILLED,
    Lane.HELD: BatchState.HELD,
}


def table_in_lua(path: str, name: str) -> dict[str, str]:
    source = files("pipeline.store.lua").joinpath(path).read_text("utf-8")
    [table] = re.findall(rf"^local {name} = \{{(.*?)\}}$", source, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"(\w+) = '?(\w+)'?", table))


@pytest.mark.parametrize(
    ("words", "letters"),
    [
        (Lane, LANE_LETTER),
        (ChannelName, CHANNEL_LETTER),
        (DeliveryStatus, STATUS_LETTER),
        (FactKind, FACT_LETTER),
    ],
)
def test_each_word_has_a_letter_of_its_own(
    words: Iterable[str], letters: Mapping[str, str]
) -> None:
    assert set(letters) == set(words)
    assert len(set(letters.values())) == len(letters)
    assert all(re.fullmatch("[a-z]", letter) for letter in letters.values())


def test_the_letters_never_changed() -> None:
    assert "".join(LANE_LETTER[lane] for lane in Lane) == "orsh"
    assert "".join(CHANNEL_LETTER[channel] for channel in ChannelName) == "esw"
    assert "".join(STATUS_LETTER[status] for status in DeliveryStatus) == "pisdbfxuk"
    assert "".join(FACT_LETTER[kind] for kind in FactKind) == "sdbfoxuprlnw"
    assert encode_unit(Unit("7", 2, Lane.READ, 3)) == ("7", 2, "r", 3)


def test_the_scripts_know_channels_and_statuses_by_the_same_letters() -> None:
    assert table_in_lua("lib/deliveries/channels.lua", "CHANNEL") == CHANNEL
    assert table_in_lua("lib/deliveries/tally.lua", "STATUS") == STATUS


def test_the_scripts_put_a_batch_into_the_lane_of_its_state() -> None:
    assert table_in_lua("lib/batch/lanes.lua", "LANE") == {
        state: LANE_LETTER[lane] for lane, state in STATE_OF.items()
    }


def test_a_result_is_stored_by_the_letter_of_its_status() -> None:
    settled = [kind for kind in FactKind if kind.value in set(DeliveryStatus)]
    assert FactKind.SENT in settled
    assert [STATUS[FACT_LETTER[kind]].value for kind in settled] == [k.value for k in settled]


@given(
    st.builds(
        Unit,
        serial=st.integers(1).map(str),
        batch=st.integers(1),
        lane=st.sampled_from(Lane),
        dispatch_number=st.integers(0),
    )
)
def test_a_unit_is_read_from_a_job_as_it_was_given(unit: Unit) -> None:
    assert decode_unit(encode_unit(unit)) == unit
    assert decode_unit(json.loads(json.dumps(encode_unit(unit)))) == unit


@pytest.mark.parametrize(
    "item",
    [
        *(None, 7, "1:1:o:1", {}, []),
        *(["1", 1, "o"], ["1", 1, "o", 1, 1]),
        *([1, 1, "o", 1], ["1", "1", "o", 1], ["1", 1, 0, 1], ["1", 1, "o", "1"]),
        *(["1", 1, "", 1], ["1", 1, "O", 1], ["1", 1, "order", 1], ["1", 1, "x", 1]),
    ],
)
def test_a_malformed_unit_is_none(item: object) -> None:
    assert decode_unit(item) is None


def test_a_lane_is_read_by_the_letter_that_it_is_written_by() -> None:
    assert {LANE[letter]: letter for letter in LANE} == LANE_LETTER


def test_the_scripts_know_which_providers_can_be_asked() -> None:
    letters = table_in_lua("lib/deliveries/auto_resends.lua", "SEARCHABLE")
    assert {CHANNEL[letter] for letter in letters} == SEARCHABLE
