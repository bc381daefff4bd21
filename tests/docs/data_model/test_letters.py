"""Every letter that is stored has its word and its meaning in the page."""

from collections.abc import Mapping

import pytest

from pipeline.domain.batch import Lane, WaitCounter
from pipeline.domain.models import ChannelName, DeliveryStatus, FactKind
from pipeline.store import codec
from tests.docs.data_model.dictionary import letters
from tests.support.root import ROOT


@pytest.mark.parametrize(
    ("words", "meanings"),
    [
        (set(Lane), letters.LANES),
        (set(ChannelName), letters.CHANNELS),
        (set(DeliveryStatus), letters.STATUSES),
        (set(FactKind), letters.FACTS),
        (set(WaitCounter), letters.COUNTERS),
    ],
)
def test_each_word_has_a_meaning_and_no_other_has(
    words: set[str], meanings: Mapping[str, str]
) -> None:
    assert words == set(meanings)


def test_no_table_of_letters_is_left_out() -> None:
    tables = {name for name in vars(codec) if name.isupper()}
    assert tables == {
        *("LANE_LETTER", "LANE", "CHANNEL_LETTER", "CHANNEL"),
        *("STATUS", "FACT_LETTER", "COUNTER_FIELD"),
    }


def test_each_letter_stands_in_the_page_with_its_word() -> None:
    page = (ROOT / "docs" / "internals" / "data-model.md").read_text("utf-8")
    for words in (codec.LANE_LETTER, codec.CHANNEL_LETTER, codec.FACT_LETTER):
        for word, letter in words.items():
            assert f"| `{letter}` | `{word.name}` (`{word}`) |" in page
    for letter, status in codec.STATUS.items():
        assert f"| `{letter}` | `{status.name}` (`{status}`) |" in page
