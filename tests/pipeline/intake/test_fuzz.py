"""Sound files that were edited or cut are read, or their faults reported in sentences."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake.campaign_file import load_campaign
from pipeline.intake.files.problems import Problem
from tests.pipeline.intake.builders import an_intake, both_channels

fuzzed = settings(deadline=None)  # the machine may be busy

TABLE = """\
id,email,phone,name,locale,timezone,city
r-1,ann@example.com,+4930123456001,Ann,de,Europe/Berlin,Köln
r-2,bob@example.com,,"Bob ""B"" Lee",,,"New
York"
r-3,,+4930123456003,Zoë,fr-FR,UTC,
""".encode()
OBJECTS = b"""\
{"id": "r-1", "email": "ann@example.com", "phone": "+4930123456001", "n": 10.00, "vip": true}
{"id": 2, "email": "bob@example.com", "name": null}

{"id": "r-3", "phone": "+4930123456003", "name": "Zo\\u00eb"}
"""
CAMPAIGN = b"""\
id = "survey-2026-11"
name = "November survey"

[reward]
product_id = "CVS"
value = "10.00"
currency = "USD"

[delivery]
channels = ["email", "sms"]
mode = "first"
window = { start = "09:00", end = "20:00", timezone = "recipient" }

[email]
subject = "Your reward, {{ name }}"
text = "Hello {{ name }}, your reward: {{ link }}"
html = "<p>Hello {{ name }}, <a href=\\"{{ link }}\\">your reward</a></p>"
reply_to = "help@example.com"

[sms]
body = "Your reward: {{ link }}"

[limits]
email = "20/s"
"""

PIECES = st.sampled_from(
    [
        *(
            b"",
            b"\n",
            b"\r",
            b"\r\n",
            b'"',
            b"'",
            b",",
            b";",
            b"\t",
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
        ),
        *(b"{", b"}", b"[", b"]", b"{{", b"}}", b"{%", b"=", b"#", b"\\", b'"""', b"-1", b"1e999"),
        *(b"null", b"true", b"NaN", "\u202e".encode(), b"\xc3", b"Europe/Nowhere", b"9" * 40),
        *(b"[email]\n", b"id", b"email", b"link", b"/0", b"99999999999/s", b"../../x"),
    ]
)
EDITS = st.lists(
    st.tuples(st.integers(0, 700), st.integers(0, 12), PIECES | st.binary(max_size=4)),
    min_size=1,
    max_size=5,
)
Edits = list[tuple[int, int, bytes]]


def edited(content: bytes, edits: Edits) -> bytes:
    found = bytearray(content)
    for place, length, piece in edits:
        at = place % (len(found) + 1)
        found[at : at + length] = piece
    return bytes(found)


def assert_sentence(problem: Problem) -> None:
    text = str(problem)
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    for jargon in ("Traceback", "Input should", "Error(", "object at 0x"):
        assert jargon not in text


@fuzzed
@given(edits=EDITS, name=st.sampled_from(["people.csv", "people.ndjson", "-"]), csv=st.booleans())
def test_every_row_of_a_broken_file_is_accepted_skipped_or_reported(
    edits: Edits,
    name: str,
    csv: bool,  # noqa: FBT001 - hypothesis passes it so
) -> None:
    intake = an_intake(edited(TABLE if csv else OBJECTS, edits), both_channels(), name=name)

    rows = list(intake)

    summary = intake.summary
    assert summary.rows == summary.accepted + summary.skipped + summary.rejected
    assert summary.accepted == len(rows)
    assert summary.problem_count >= (not rows)
    assert len({row.recipient.id for row in rows}) == len(rows)
    for problem in summary.problems:
        assert_sentence(problem)
    for row in rows:
        assert row.recipient.id
        # A file without any column of addresses has one problem, for the file as a whole.
        assert row.recipient.email or row.recipient.phone or summary.fatal_count


@fuzzed
@given(edits=EDITS)
def test_a_broken_campaign_file_is_reported_in_sentences(
    tmp_path_factory: pytest.TempPathFactory, edits: Edits
) -> None:
    path = Path(tmp_path_factory.getbasetemp() / "edited.toml")
    path.write_bytes(edited(CAMPAIGN, edits))

    campaign, problems = load_campaign(path)

    assert (campaign is None) == bool(problems)
    for problem in problems:
        assert_sentence(problem)


def test_what_was_not_edited_is_sound(tmp_path: Path) -> None:
    for content, name in ((TABLE, "people.csv"), (OBJECTS, "people.ndjson")):
        intake = an_intake(content, both_channels(), name=name)
        assert len(list(intake)) == 3
        assert intake.summary.problems == ()
    (tmp_path / "c.toml").write_bytes(CAMPAIGN)
    assert load_campaign(tmp_path / "c.toml")[1] == []
