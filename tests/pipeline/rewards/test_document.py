import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rewards.document import leaves, parse_json

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(documents)
def test_valid_json_is_read_as_it_was_written(document: object) -> None:
    assert parse_json(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary())
def test_any_bytes_are_a_document_or_a_value_error(body: bytes) -> None:
    try:
        parse_json(body)
    except ValueError as error:
        assert str(error) == "the answer is not JSON that can be read safely"  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"Links": ["https://a.example/1"], "Links": ["https://a.example/2"]}',
        b"[NaN]",
        b"[-Infinity]",
        b'["\\ud800"]',
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5000,
    ],
)
def test_json_that_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON") as caught:
        parse_json(body)
    assert caught.value.__suppress_context__


def test_a_byte_order_mark_is_no_harm() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_leaves_come_in_document_order_under_their_keys() -> None:
    document = {"b": [{"x": 1}, {"x": None}], "a": {"y": [[2], 3]}, "empty": []}

    assert list(leaves(document)) == [
        (("b", "x"), 1),
        (("b", "x"), None),
        (("a", "y"), 2),
        (("a", "y"), 3),
    ]


def test_depth_is_no_limit_for_walking() -> None:
    document: object = "end"
    for _ in range(5000):
        document = [document]

    assert list(leaves(document)) == [((), "end")]
