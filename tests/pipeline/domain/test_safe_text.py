"""Whatever others say becomes one harmless line."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.safe_text import clean


@given(st.text(), st.integers(5, 300))
def test_words_are_one_printable_line_within_the_limit(text: str, limit: int) -> None:
    words = clean(text, limit)
    assert len(words) <= limit
    assert words == "" or words.isprintable()


def test_only_the_readable_part_of_hostile_text_is_searched() -> None:
    # As a whole it would be taken for one address, after work that grows with its square.
    hostile = "a.b-" * 50_000 + "@" * 50_000
    assert clean(hostile) == clean(hostile[:1200]) != clean("a@b")
