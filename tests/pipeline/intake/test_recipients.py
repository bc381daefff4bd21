import csv
import io
import json
import random

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName
from pipeline.intake.recipients import read_recipients
from tests.pipeline.intake.builders import a_campaign, an_intake, both_channels, told

PEOPLE = [
    {"id": "1", "email": "Ann@Example.com", "name": "Ann", "city": "Köln", "area": "Süd"},
    {"id": "2", "email": "bob@example.com", "name": "Bob", "city": "", "area": ""},
]


def digest(content: str, name: str = "people.csv") -> str:
    intake = an_intake(content, name=name)
    list(intake)
    return intake.summary.digest


def as_csv(columns: list[str], delimiter: str = ",") -> str:
    output = io.StringIO()
    writer = csv.DictWriter(output, columns, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(PEOPLE)
    return output.getvalue()


def test_digest_is_of_the_content_not_of_its_form() -> None:
    columns = ["id", "email", "name", "city", "area"]
    ndjson = "\n".join(json.dumps({k: v for k, v in row.items() if v}) for row in PEOPLE)

    assert (
        digest(as_csv(columns))
        == digest("\ufeff" + as_csv(columns[::-1], ";").replace("\r\n", "\n"))
        == digest(ndjson, "-")
    )


def test_digest_differs_for_other_values_other_order_and_shifted_values() -> None:
    contents = [
        "id,email,x,y\n1,a@x.co,k,\n2,b@x.co,,\n",
        "id,email,x,y\n1,a@x.co,,k\n2,b@x.co,,\n",
        "id,email,x,y\n2,b@x.co,,\n1,a@x.co,k,\n",
        "id,email,x,y\n1,a@x.co,K,\n2,b@x.co,,\n",
        "id,email,x,y\n1,a@x.co,k,\n",
    ]

    assert len({digest(content) for content in contents}) == len(contents)


def test_summary_counts_rows_people_and_problems() -> None:
    intake = an_intake(
        "id,email,phone\n1,a@x.co,\n2,,+14155552671\n3,a@x.co,\n4,,\n5,b@x.co,+14155552672\n",
        both_channels(duplicates="skip"),
    )
    list(intake)

    summary = intake.summary
    assert (summary.rows, summary.accepted, summary.skipped, summary.rejected) == (5, 3, 1, 1)
    assert summary.reachable == {ChannelName.EMAIL: 2, ChannelName.SMS: 2}
    assert (summary.problem_count, summary.fatal_count) == (1, 0)
    assert str(summary.problems[0]) == "people.csv, line 5: has no address; fill in email or phone"


def test_first_fifty_problems_are_kept_and_all_are_counted() -> None:
    content = ("id,email\n" + "".join(f"{n},\n" for n in range(2500))).encode()

    for keep in (50, None):
        intake = read_recipients(io.BytesIO(content), a_campaign(), name="x", keep=keep)
        list(intake)

        summary = intake.summary
        assert summary.rejected == 2500
        assert summary.problem_count == 2500 + summary.fatal_count
        assert len(summary.problems) == (keep or summary.problem_count)
        assert [problem.line for problem in summary.problems][:3] == [2, 3, 4]


def test_more_people_than_max_total_pays_for_is_reported_with_the_numbers() -> None:
    reward = {"product_id": "CVS", "value": "10.00", "max_total": "20.00"}
    rows = ["1,a@x.co\n", "2,b@x.co\n", "3,c@x.co\n"]

    assert told(an_intake("id,email\n" + "".join(rows[:2]), a_campaign(reward=reward))) == []
    [problem] = told(an_intake("id,email\n" + "".join(rows), a_campaign(reward=reward)))
    assert problem == (
        ": 3 recipients at 10.00 cost 30.00, but reward.max_total is 20.00, which pays for 2; "
        "raise it or remove recipients"
    )


def test_channel_that_reaches_nobody_is_reported_once() -> None:
    message = (
        ": phone: is missing or empty in every row, so sms reaches nobody; fill it in, or take "
        "sms out of delivery.channels"
    )

    for head, row in (("id,email,phone", "{},p{}@x.co,\n"), ("id,email", "{},p{}@x.co\n")):
        rows = "".join(row.format(n, n) for n in range(3))
        assert told(an_intake(f"{head}\n{rows}", both_channels())) == [message]


def test_missing_address_column_is_reported_once_not_for_every_row() -> None:
    problems = told(an_intake("id,name\n1,Ann\n2,Bob\n2,Eve\n"))

    assert [problem.partition(";")[0] for problem in problems] == [
        ", line 4: id: is the same as on line 3",
        ": email: is missing or empty in every row, so email reaches nobody",
    ]


def needing(text: str, **more: object) -> Campaign:
    return a_campaign(email={"subject": "Hello", "text": text + " {{ link }}"}, **more)


def test_template_variable_without_a_column_is_reported_once_with_the_nearest() -> None:
    campaign = needing("{{ name }} {{ point }} {{ id }}")

    [problem] = told(an_intake("id,email,points,name\n1,a@x.co,,\n2,b@x.co,,\n", campaign))

    assert problem == (
        ": point: is used by the template email.text, but there is no such column (did you mean "
        '"points"?); add the column or change the template'
    )


def test_variables_of_a_channel_that_is_not_used_need_no_column() -> None:
    campaign = needing("", sms={"body": "{{ link }} {{ shop }}"})

    assert told(an_intake("id,email\n1,a@x.co\n", campaign)) == []


def test_rejected_rows_are_written_as_they_were_with_line_and_problem() -> None:
    content = b'id;email;note\n1;ann@example.com;x\n2;nobody;"two\nlines"\n3;b@x.co;y;z\n4;"x"y;\n'
    rejected = io.StringIO()
    intake = read_recipients(io.BytesIO(content), a_campaign(), name="p.csv", rejected=rejected)

    assert [row.recipient.id for row in intake] == ["1"]

    rows = list(csv.reader(io.StringIO(rejected.getvalue())))
    assert rows[0] == ["line", "problem", "id", "email", "note"]
    assert [(row[0], row[2:]) for row in rows[1:]] == [
        ("3", ["2", "nobody", "two\nlines"]),
        ("5", ["3", "b@x.co", "y", "z"]),
        ("6", []),
    ]
    assert rows[1][1].startswith("email: is not an e-mail address")
    assert intake.summary.fatal_count == 0


def test_rejected_objects_are_written_whole() -> None:
    rejected = io.StringIO()
    line = '{"id": 1, "email": "nobody", "any": ["thing"]}'
    intake = read_recipients(io.BytesIO(line.encode()), a_campaign(), name="-", rejected=rejected)

    assert list(intake) == []
    assert list(csv.reader(io.StringIO(rejected.getvalue())))[1][2] == line


def test_nothing_is_written_when_no_row_is_rejected() -> None:
    rejected = io.StringIO()
    stream = io.BytesIO(b"id,email\n1,a@example.com\n")

    list(read_recipients(stream, a_campaign(), name="x", rejected=rejected))

    assert rejected.getvalue() == ""


def test_rows_come_out_while_the_file_is_still_read() -> None:
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size: int = -1, /) -> bytes:
            self.asked += 1
            ids = range(self.asked * 2000, self.asked * 2000 + 2000)
            rows = "".join(f"{n},p{n}@example.com\n" for n in ids)
            return (b"id,email\n" if self.asked == 1 else b"") + rows.encode()

    stream = Endless()
    rows = iter(read_recipients(stream, a_campaign(), name="x"))  # type: ignore[arg-type]

    assert next(rows).line == 2
    assert stream.asked < 5


def test_random_order_of_columns_gives_the_same_digest() -> None:
    columns = ["id", "email", "name", "city", "area"]
    digests = set()
    for seed in range(5):
        random.Random(seed).shuffle(columns)  # noqa: S311 - only an order
        digests.add(digest(as_csv(columns)))

    assert len(digests) == 1
