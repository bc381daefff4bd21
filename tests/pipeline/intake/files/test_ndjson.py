import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.models import Recipient
from pipeline.intake.recipients import check_recipients, read_recipients
from tests.pipeline.intake.builders import a_campaign, accepted, an_intake, told

TEXTS = {"subject": "{{ points }}", "text": "{{ link }}"}


def test_numbers_and_booleans_become_text_as_they_are_written() -> None:
    line = (
        '{"id": 7, "email": "a@example.com", "sum": 10.00, "big": 1e400, "vip": true, "x": null}'
    )

    assert accepted(an_intake(line, name="people.ndjson")) == [
        Recipient(
            id="7",
            email="a@example.com",
            variables={"sum": "10.00", "big": "1e400", "vip": "true", "x": ""},
        )
    ]


@pytest.mark.parametrize("name", ["people.jsonl", "people.NDJSON", "-"])
def test_the_extension_or_the_first_character_decides_the_format(name: str) -> None:
    content = '\ufeff\n{"id": "1", "email": "a@example.com"}\r\n\r\n{"id": "2", "email": "b@x.co"}'

    rows = list(an_intake(content, name=name))

    assert [(row.line, row.recipient.id) for row in rows] == [(2, "1"), (4, "2")]


def test_format_that_is_asked_for_wins() -> None:
    stream = io.BytesIO(b'{"id": "1", "email": "a@example.com"}')

    intake = read_recipients(stream, a_campaign(), name="x.csv", file_format="ndjson")

    assert accepted(intake)[0].id == "1"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", 'must be an object such as {"id"'),
        ("17", 'must be an object such as {"id"'),
        ('{"id": 2,', "is not JSON (Expecting property name enclosed in double quotes at column"),
        ('{"id": 2} {"id": 3}', "is not JSON (Extra data at column 11)"),
        ('{"id": 2, "x": [1]}', '"x" holds a list or an object'),
        ('{"id": 2, "x": {}}', '"x" holds a list or an object'),
        ('{"id": 2, "id": 3}', "has the same key twice"),
        ('{"id": 2, "x": NaN}', "holds NaN, which is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"id": 2, "email": "a@example.com", "x": "\\ud800"}', "x: holds control characters"),
        ('{"id": 2, "email": "a@example.com", "link": "x"}', "link: a key cannot be called link"),
        ('{"id": 2, "email": "a@example.com", "Name": "x"}', 'Name: a key must be written "name"'),
        ('{"id": 2, "email": "a@example.com", "": "x"}', "a key has no name"),
        ('{"id": 2, "email": "a@example.com", "\\ud800": "x"}', "a key must have a name of one"),
    ],
)
def test_a_fault_of_an_object_is_reported_with_its_line(line: str, problem: str) -> None:
    content = f'{{"id": 1, "email": "b@example.com"}}\n{line}\n'

    problems = told(an_intake(content, name="p.ndjson"))

    assert len(problems) == 1
    assert problems[0].startswith("p.ndjson, line 2: ")
    assert problem in problems[0]


def test_bytes_that_are_not_utf8_are_reported_with_their_place() -> None:
    content = b'{"id": 1, "email": "b@example.com"}\n{"id": "\xe9"}\n'

    assert told(an_intake(content, name="p.ndjson")) == [
        "p.ndjson, line 2: byte 0xE9 at position 9 of line 2 is not UTF-8; save the file as UTF-8"
    ]


def test_json_list_is_refused_with_the_form_that_is_read() -> None:
    assert "write one object a line" in told(an_intake('[{"id": 1}]', name="-"))[0]


def test_ever_new_keys_are_not_gathered_without_end() -> None:
    objects = (json.dumps({"id": n, "email": f"a{n}@x.co", f"k{n}": 1}) for n in range(2000))

    problems = told(an_intake("\n".join(objects), name="p.ndjson"))

    assert problems == [
        "p.ndjson, line 499: brings the objects to more than 500 different keys; use fewer"
    ]


def test_variable_that_an_object_lacks_is_empty_but_one_that_all_lack_is_a_problem() -> None:
    campaign = a_campaign(email=TEXTS)
    with_points = '{"id": 1, "email": "a@example.com", "points": 3}\n'
    without = '{"id": 2, "email": "b@example.com"}\n'

    some = accepted(an_intake(with_points + without, campaign, name="-"))
    none = told(an_intake(without, campaign, name="-"))

    assert [recipient.variables for recipient in some] == [{"points": "3"}, {"points": ""}]
    assert len(none) == 1
    assert none[0].startswith("-: points: is used by the template email.subject")


def test_list_of_a_job_is_checked_like_a_file() -> None:
    items = [{"id": 1, "email": "a@example.com", "sum": 1.5}, {"id": 1}, "y"]

    intake = check_recipients(items, a_campaign())

    assert [row.recipient.variables for row in intake] == [{"sum": "1.5"}]
    assert [str(problem) for problem in intake.summary.problems] == [
        "recipients, line 2: has no address; fill in email",
        "recipients, line 2: id: is the same as on line 1; make it unique",
        'recipients, line 3: must be an object such as {"id": "1", "email": "a@example.com"}',
    ]


keys = st.sampled_from(["id", "email", "name", "x", "link", "Email"]) | st.text(max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=3,
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.dictionaries(keys, json_values, max_size=4), max_size=4))
def test_no_objects_crash_the_intake(items: list[dict[str, object]]) -> None:
    lines = "\n".join(json.dumps(item) for item in items)

    from_list, from_lines = check_recipients(items, a_campaign()), an_intake(lines, name="-")

    for intake in (from_list, from_lines):
        rows = list(intake)
        assert intake.summary.rows == len(rows) + intake.summary.rejected


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_crash_the_intake(content: bytes) -> None:
    intake = an_intake(b'{"id": 1}\n{' + content, name="p.ndjson")

    assert list(intake) == []
    assert intake.summary.problem_count
