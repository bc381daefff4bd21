import io
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake.duplicates import DuplicateIndex
from pipeline.intake.recipients import read_recipients
from tests.pipeline.intake.builders import an_intake, both_channels, told

PEOPLE = """id,email,phone
1,ann@example.com,+14155552671
2,bob@example.com,+14155552672
3,ANN@Example.com,+14155552673
4,,+1 (415) 555-2672
1,eve@example.com,
"""


def test_repeated_ids_and_addresses_name_the_line_of_the_first() -> None:
    remedy = 'remove one of the rows, or set delivery.duplicates to "skip" or "allow"'

    assert told(an_intake(PEOPLE, both_channels())) == [
        f", line 4: email: is the same as on line 2; {remedy}",
        f", line 5: phone: is the same as on line 3; {remedy}",
        ", line 6: id: is the same as on line 2; make it unique",
    ]


def test_skip_leaves_out_the_later_row_but_never_repeats_an_id() -> None:
    intake = an_intake(PEOPLE, both_channels(duplicates="skip"))

    assert [row.recipient.id for row in intake] == ["1", "2"]
    assert intake.summary.skipped == 2
    assert [problem.field for problem in intake.summary.problems] == ["id"]


def test_allow_looks_at_ids_only() -> None:
    intake = an_intake(PEOPLE, both_channels(duplicates="allow"))

    assert [row.recipient.id for row in intake] == ["1", "2", "3", "4"]
    assert intake.summary.problem_count == 1


def test_address_of_a_channel_that_is_not_used_may_repeat() -> None:
    intake = an_intake("id,email,phone\n1,a@example.com,+14155552671\n2,b@x.co,+14155552671\n")

    assert len(list(intake)) == 2


@pytest.mark.parametrize("duplicates", ["skip", "error"])
def test_row_that_is_left_out_takes_no_address_from_a_later_one(duplicates: str) -> None:
    campaign = both_channels(duplicates=duplicates)
    text = (
        "id,email,phone,timezone\n"
        "1,ann@example.com,,Nowhere\n"  # rejected: the time zone
        "2,ann@example.com,+14155552671,\n"
        "2,bob@example.com,,\n"  # rejected: the id
        "3,bob@example.com,,\n"
        "4,ann@example.com,+14155552672,\n"  # a repeated address
        "5,,+14155552672,\n"
    )

    intake = read_recipients(
        io.BytesIO(text.encode()), campaign, name="people.csv", rejected=io.StringIO()
    )

    accepted = [row.recipient.id for row in intake]
    assert accepted == (["2", "3", "5"] if duplicates == "skip" else ["2", "3"])


def test_repetition_is_found_thousands_of_rows_later() -> None:
    rows = "".join(f"{n},p{n}@example.com\n" for n in range(3500))

    problems = told(an_intake(f"id,email\n{rows}x,P17@example.com\n3,y@example.com\n"))

    assert [problem.partition(";")[0] for problem in problems] == [
        ", line 3502: email: is the same as on line 19",
        ", line 3503: id: is the same as on line 5",
    ]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_skip_keeps_the_first_of_each_address_and_id(rows: list[tuple[int, int]]) -> None:
    text = "id,email\n" + "".join(f"{i},p{e}@example.com\n" for i, e in rows)

    intake = an_intake(text, both_channels(duplicates="skip"))
    kept = [(row.recipient.id, row.recipient.email) for row in intake]

    expected: list[tuple[str, str]] = []
    ids: set[str] = set()
    for number, address in rows:
        row = (str(number), f"p{address}@example.com")
        if row[0] not in ids and row[1] not in [email for _, email in expected]:
            expected.append(row)
        ids.add(row[0])
    assert kept == expected
    assert max(Counter(kept).values(), default=1) == 1


@given(st.lists(st.lists(st.integers(0, 20), max_size=6), max_size=10))
def test_digests_are_added_all_or_none(batches: list[list[int]]) -> None:
    known: dict[int, int] = {}
    with DuplicateIndex() as sightings:
        for line, batch in enumerate(batches):
            new = len(set(batch)) == len(batch) and known.keys().isdisjoint(batch)

            assert sightings.add_all_new([(digest, line) for digest in batch]) == new

            known.update(dict.fromkeys(batch, line) if new else {})
            assert {n: sightings.find(n) for n in range(21)} == {
                n: known.get(n) for n in range(21)
            }


@pytest.mark.parametrize("number", [299, 300, 301, 900, 1000])
@pytest.mark.parametrize("known", ["first", "last"])
def test_one_known_digest_of_many_keeps_all_out(number: int, known: str) -> None:
    """More of them than one statement takes."""
    again = 0 if known == "first" else number - 1
    with DuplicateIndex() as sightings:
        assert sightings.add_all_new([(again, 1)])
        assert not sightings.add_all_new([(digest, 2) for digest in range(number)])
        found = [sightings.find(digest) for digest in range(number)]
        assert found == [1 if digest == again else None for digest in range(number)]
        assert sightings.add_all_new([(digest + 1000, 2) for digest in range(number)])
        assert [sightings.find(digest + 1000) for digest in range(number)] == [2] * number


def test_digests_of_two_runs_have_nothing_in_common() -> None:
    with DuplicateIndex() as one, DuplicateIndex() as other:
        assert one.digest("email", "a") == one.digest("email", "a")
        assert one.digest("email", "a") != one.digest("id", "a")
        assert one.digest("email", "a") != other.digest("email", "a")
