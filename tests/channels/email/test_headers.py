from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.headers import date, mailbox, single_line, unstructured

names = st.text(max_size=120) | st.text('aé山😀 \\",.<>@=?\r\n', max_size=300)


def parsed(header: bytes) -> EmailMessage:
    return message_from_bytes(header + b"\r\n\r\n", policy=policy.default)


def assert_well_formed(header: bytes) -> None:
    lines = header.split(b"\r\n")
    assert b"\r" not in b"".join(lines)
    assert b"\n" not in b"".join(lines)
    assert b"\0" not in header
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    assert max(map(len, lines)) <= 998


@given(text=names)
def test_subject_is_read_as_it_was_written(text: str) -> None:
    header = b"Subject: " + unstructured(text, len("Subject: "))

    assert_well_formed(header)
    assert all(len(line) <= 76 for line in header.split(b"\r\n"))
    assert parsed(header).keys() == ["Subject"]
    raw = header.partition(b" ")[2].decode("ascii").replace("\r\n", "")
    assert str(make_header(decode_header(raw))) == single_line(text)


@given(name=names)
def test_name_is_read_as_it_was_written(name: str) -> None:
    header = b"To: " + mailbox(name, "ada@example.com", len("To: "))

    assert_well_formed(header)
    mail = parsed(header)
    assert mail.keys() == ["To"]
    (address,) = mail["To"].addresses
    assert address.addr_spec == "ada@example.com"
    # In a phrase this reader drops blanks of other scripts and keeps those between encoded
    # words, which RFC 2047, section 6.2, has it ignore.
    assert "".join(address.display_name.split()) == "".join(single_line(name).split())


@given(name=names)
def test_name_is_read_as_it_was_written_by_older_readers(name: str) -> None:
    header = mailbox(name, "ada@example.com", len("To: ")).decode("ascii").replace("\r\n", "")

    read, address = parseaddr(header)

    assert address == "ada@example.com"
    assert str(make_header(decode_header(read))) == single_line(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Lovelace", b"Ada Lovelace <a@b.example>"),
        ("Doe, J.", b'"Doe, J." <a@b.example>'),
        ('Ann "Nan" \\', b'"Ann \\"Nan\\" \\\\" <a@b.example>'),
        ("Zoë", b"=?utf-8?b?Wm/Dqw==?= <a@b.example>"),
        ("=?utf-8?q?x?=", b"=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@b.example>"),
        ("", b"a@b.example"),
        ("\r\n\0", b"a@b.example"),
        ("A\r\nBcc: x@y.example", b'"A Bcc: x@y.example" <a@b.example>'),
    ],
)
def test_name_is_written_the_plainest_correct_way(name: str, expected: bytes) -> None:
    assert mailbox(name, "a@b.example", 4) == expected


def test_long_ascii_subject_is_folded_at_a_space() -> None:
    text = "word " * 40

    assert b"=?" not in unstructured(text, 9)
    assert unstructured(text, 9).count(b"\r\n") == 2


def test_date_is_in_utc() -> None:
    assert date(1763812800) == b"Sat, 22 Nov 2025 12:00:00 +0000"
