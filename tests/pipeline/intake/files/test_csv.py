import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.models import Recipient
from pipeline.intake.recipients import read_recipients
from tests.pipeline.intake.builders import a_campaign, accepted, an_intake, told

ANN = Recipient(id="1", email="ann@example.com", name="Ann", variables={"city": "Köln"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_dialect_that_spreadsheets_write_is_read(
    delimiter: str, end: str, mark: str
) -> None:
    lines = ["id,email,name,city", "1,ann@example.com,Ann,Köln", ""]
    text = mark + end.join(lines).replace(",", delimiter)

    assert accepted(an_intake(text)) == [ANN]


def test_delimiter_inside_quoted_header_names_does_not_count() -> None:
    intake = an_intake('id;email;"a,b,c,d,e"\n1;ann@example.com;x\n')

    assert accepted(intake)[0].variables == {"a,b,c,d,e": "x"}


def test_line_numbers_are_true_below_quoted_newlines_and_empty_lines() -> None:
    intake = an_intake(
        "id,email,note\r\n"
        '1,a@example.com,"one\r\ntwo\r\nthree"\r\n'
        "\r\n"
        ",,\r\n"
        '2,b@example.com,"x\ry"\r\n'
        "3,c@example.com,z"
    )

    rows = list(intake)

    assert [(row.line, row.recipient.id) for row in rows] == [(2, "1"), (7, "2"), (9, "3")]
    assert rows[0].recipient.variables == {"note": "one\ntwo\nthree"}
    assert rows[1].recipient.variables == {"note": "x\ny"}
    assert intake.summary.rows == 3


@pytest.mark.parametrize("row", ["", ",,", " , ,\t", "\u00a0,\u2003,"])
def test_row_of_nothing_but_spaces_is_passed_over(row: str) -> None:
    intake = an_intake(f"id,email,note\n{row}\n1,a@example.com,x\n")

    assert [person.id for person in accepted(intake)] == ["1"]
    assert intake.summary.rows == 1


def test_last_line_may_end_without_a_newline_or_in_half_of_one() -> None:
    assert accepted(an_intake("id,email\r\n1,a@example.com\r"))[0].id == "1"


def test_lines_are_true_across_the_chunks_in_which_a_file_is_read() -> None:
    # A CRLF lies across the end of the first 64 KiB whatever the length of the id.
    for length in (7, 8, 9, 10):
        row = f"{{:0{length}}},a{{}}@example.com,{'x' * 40}\r\n"
        text = "id,email,x\r\n" + "".join(row.format(n, n) for n in range(2000))

        lines = [entry.line for entry in an_intake(text)]

        assert lines == list(range(2, 2002))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1,a@example.com", "has 2 values, but the header names 3 columns; add what is missing"),
        ("1,a@example.com,x,y", "has 4 values, but the header names 3 columns; put a value"),
        ('1,a@example.com,"x" y', "has text after a closing quotation mark"),
        ('1,a@example.com,"x\n', "opens a quotation mark that is never closed"),
        ("1,a@example.com," + "x" * 200_000, "has a value of more than 131,072 characters"),
        ("1,a@example.com," + "x" * 1_200_000, "is longer than 1,000,000 bytes"),
        ("1,a@example.com,\0", "holds a NUL byte, so this is not a text file"),
        ("1,a@example.com,\x07", "x: holds control characters; remove them"),
    ],
)
def test_a_fault_of_a_row_is_reported_with_its_line(row: str, problem: str) -> None:
    padding = "0,z@example.com,\n" + "\n" * 70_000  # so that the row is not in the first chunk

    problems = told(an_intake(f"id,email,x\n{padding}{row}\n"))

    assert len(problems) == 1
    assert problems[0].startswith(f", line 70003: {problem}")


def test_rows_after_a_broken_one_are_still_checked() -> None:
    problems = told(an_intake('id,email\n1,"a"b\n2\n3,c@example.com\n4,nobody\n'))

    assert [problem.partition(": ")[0] for problem in problems] == [
        ", line 2",
        ", line 3",
        ", line 5",
    ]


def test_rows_before_an_unreadable_part_are_still_reported() -> None:
    padding = "\n" * 70_000  # so that the NUL is not in the first chunk
    intake = an_intake(f"id,email\n1,a@example.com\n2,nobody\n{padding}\0")

    assert [row.recipient.id for row in intake] == ["1"]
    assert [problem.line for problem in intake.summary.problems] == [3, 70_004]


def test_row_of_many_lines_is_bounded() -> None:
    row = "1,a@example.com" + ',"{}"'.format("\n" * 100_000) * 12
    header = "id,email," + ",".join(f"x{n}" for n in range(12))

    problems = told(an_intake(f"{header}\n{row}\n"))

    assert problems[0].startswith(", line 2: has a value of more than")


def test_byte_that_is_not_utf8_is_reported_with_its_place() -> None:
    content = b'id,email,note\n1,a@example.com,"one\nzw' + b'\xf6lf"\n2,b@example.com,x\n'

    assert told(an_intake(content)) == [
        ", line 2: byte 0xF6 at position 3 of line 3 is not UTF-8; save the file as UTF-8"
    ]


# Letters with a zero in either byte, and pairs of which one is cut in two by the sample.
NAMES = "id,name\n12,Zoë 一 Ā " + "\U0001f600" * 300 + "\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; its first line must name the columns"),
        (b"\xef\xbb\xbf\r\n\r\n", "is empty; its first line must name the columns"),
        (b"PK\x03\x04\x14\x00", "looks like an Excel or zip file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "looks like an old Excel file"),
        (b"%PDF-1.7\n", "looks like a PDF"),
        (b"\x1f\x8b\x08\x00", "looks like a gzip file"),
        (b"\x00\x00\x01", "looks like a binary file"),
        (bytes(range(256)) * 4, "looks like a binary file"),
        (b"\x7f\x00\x00\xd8\x00\x00", "looks like a binary file"),
        ("id,email\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("id,email\n".encode("utf-16-le"), "looks like UTF-16 text; save it as UTF-8"),
        ("id,email\n".encode("utf-16-be"), "looks like UTF-16 text; save it as UTF-8"),
        (NAMES.encode("utf-16-le"), "looks like UTF-16 text; save it as UTF-8"),
        (NAMES.encode("utf-16-be"), "looks like UTF-16 text; save it as UTF-8"),
        (b'{"id": "a", "email": "a@example.com"}\n', "looks like NDJSON, not CSV; rename it so"),
        (b'\xef\xbb\xbf\n{\n "id": "a"}\n', "looks like NDJSON, not CSV; rename it so"),
        (b'[{"id": "a"}]', "looks like a JSON list; write one object a line"),
        (b"id,email,na\xefve\n", "byte 0xEF at position 12 of line 1 is not UTF-8"),
        (b'id,"email\n', "opens a quotation mark that is never closed"),
        (b"email,name\na@example.com,Ann\n", 'has no column "id"'),
        (b"id|email\n", 'has no column "id"'),
        (b"ID,email\n", 'column 1: must be written "id"'),
        (b"id,email,\n", "column 3: has no name"),
        (b"id,email,email\n", "email: is the name of 2 columns"),
        (b"id,email,link\n", "column 3: cannot be called link"),
        (b'id,email,"a\nb"\n', "column 3: must have a name of one line"),
        (b"id," + b",".join(b"c%d" % n for n in range(500)), "names more than 500 columns"),
        (b"id,email\n", "holds no recipients"),
    ],
)
def test_file_without_usable_header_or_rows_is_one_sentence(content: bytes, problem: str) -> None:
    problems = told(an_intake(content))

    assert len(problems) == 1
    assert problem in problems[0]


def test_an_address_in_place_of_a_header_is_not_repeated() -> None:
    assert "ann" not in " ".join(told(an_intake("ann@example.com,Ann\n")))


def test_stream_that_breaks_off_is_a_problem() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    stream = Broken(b"id,email\n1,a@example.com\n")
    intake = read_recipients(stream, a_campaign(), name="people.csv")

    assert told(intake)[0].endswith("cannot be read: Input/output error")
    assert intake.summary.fatal_count == 1


printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)


@settings(deadline=None)  # the machine may be busy
@given(
    values=st.lists(st.tuples(printable, printable), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t"),
    all_quoted=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.booleans(),
)
def test_values_come_back_as_they_were_written(
    values: list[tuple[str, str]],
    delimiter: str,
    end: str,
    *,
    all_quoted: bool,
    bom: bool,
) -> None:
    output = io.StringIO(newline="")
    writer = csv.writer(
        output,
        delimiter=delimiter,
        quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL,
        lineterminator=end,
    )
    writer.writerow(["id", "email", "name", "word"])
    for number, (name, word) in enumerate(values):
        writer.writerow([number, f"p{number}@example.com", name, word])

    recipients = accepted(an_intake("\ufeff" * bom + output.getvalue()))

    assert [(r.name, r.variables["word"]) for r in recipients] == [
        (name.strip(), word) for name, word in values
    ]


pieces = st.sampled_from(
    [b"id", b"email", b",", b";", b'"', b"\n", b"\r", b"\r\n", b"1", b"a@b.co", b"\xff", b"\xc3"]
)


@settings(deadline=None)
@given(st.one_of(st.binary(), st.lists(pieces).map(b"".join)))
def test_no_bytes_crash_the_intake_and_none_are_passed_over_silently(content: bytes) -> None:
    for head in (b"", b"id,email,x\n"):
        intake = an_intake(head + content)
        rows = list(intake)

        summary = intake.summary
        assert summary.rows == len(rows) + summary.rejected
        assert rows or summary.problem_count


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_every_line_number_is_within_the_file(content: bytes) -> None:
    data = b"id,email,x\n" + content
    intake = an_intake(data)
    list(intake)

    last = len(data.splitlines())
    assert all((problem.line or 1) <= last for problem in intake.summary.problems)
