"""A notification says whose it is and what happened; whatever else comes is refused quietly."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.callbacks.dsn import LARGEST, Bounce, DsnAction, parse_bounce
from pipeline.domain.models import FactKind
from tests.pipeline.callbacks.notifications import block, notification

TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefgh"
TO = f"<bounces+{TOKEN}@example.com>"


def parsed(raw: bytes) -> Bounce:
    bounce = parse_bounce(raw)
    assert bounce is not None
    return bounce


def test_a_postfix_notification_is_understood() -> None:
    words = "550 5.1.1 <person@example.com> see https://claim.example/secret"
    bounce = parsed(notification(TO, [block(words=words)]))
    assert (bounce.tokens, bounce.action, bounce.status) == ((TOKEN,), "failed", "5.1.1")
    assert "550 5.1.1" in bounce.diagnostic
    assert "person@" not in bounce.diagnostic
    assert "secret" not in bounce.diagnostic


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_and_an_envelope_line_make_no_difference(line_end: bytes) -> None:
    raw = b"\nFrom MAILER-DAEMON Sun Nov 22 19:00:00 2026\n" + notification(TO)
    assert parsed(raw.replace(b"\n", line_end)) == parsed(notification(TO))


@pytest.mark.parametrize("name", ["To", "Delivered-To", "X-Original-To", "ENVELOPE-TO"])
def test_the_token_is_found_in_every_header_that_names_the_receiver(name: str) -> None:
    raw = notification("postmaster@example.com").replace(
        b"\nSubject", f"\n{name}: Bounces {TO}\nSubject".encode(), 1
    )
    assert parsed(raw).tokens == (TOKEN,)


def test_a_token_that_was_written_in_capitals_is_the_same() -> None:
    assert parsed(notification(TO.upper())).tokens == (TOKEN,)


def test_tokens_elsewhere_do_not_count() -> None:
    raw = notification("postmaster@example.com") + f"\nTo: {TO}\n".encode()
    assert parsed(raw).tokens == ()


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_an_encoded_report_is_read(encoding: str) -> None:
    content = f"Reporting-MTA: dns; mx\r\n\r\n{block()}".encode()
    encoded = base64.encodebytes(content) if encoding == "base64" else content
    raw = (
        f"To: {TO}\nContent-Type: multipart/report; boundary=b\n\n--b\n"
        f"Content-Type: message/delivery-status\nContent-Transfer-Encoding: {encoding}\n\n"
    ).encode()
    assert parsed(raw + encoded + b"\n--b--\n").status == "5.1.1"


@pytest.mark.parametrize(
    ("action", "status", "fact"),
    [
        ("failed", "5.1.1", (FactKind.BOUNCED, "bounce_5.1.1")),
        ("FAILED (permanently)", "5.7.26", (FactKind.BOUNCED, "bounce_5.7.26")),
        ("failed", "4.4.1", (FactKind.BOUNCED, "bounce_4.4.1")),  # given up after days
        ("failed", "nonsense", (FactKind.BOUNCED, "bounce_5.0.0")),
        ("failed", None, (FactKind.BOUNCED, "bounce_5.0.0")),
        ("delivered", "2.0.0", (FactKind.DELIVERED, "")),
        ("delayed", "4.4.1", None),
        ("relayed", "2.0.0", None),
        ("expanded", "2.0.0", None),
    ],
)
def test_only_a_final_notification_is_a_fact(
    action: str, status: str | None, fact: tuple[FactKind, str] | None
) -> None:
    assert parsed(notification(TO, [block(action, status)])).fact() == fact


@pytest.mark.parametrize("status", ["5.1.1", "5.1.2", "5.1.6", "5.1.10", "5.2.1"])
def test_a_dead_address_is_told_from_a_failure(status: str) -> None:
    assert parsed(notification(TO, [block("failed", status)])).dead
    assert not parsed(notification(TO, [block("delayed", status)])).dead


@pytest.mark.parametrize("status", ["5.2.2", "5.1.7", "5.1.8", "5.7.1", "4.1.1", "5.0.0", ""])
def test_a_failure_that_is_not_of_the_address_does_not_suppress_it(status: str) -> None:
    assert not parsed(notification(TO, [block("failed", status)])).dead


def test_one_mailbox_that_got_it_is_enough() -> None:
    blocks = [block("delayed"), block("failed"), block("delivered", "2.0.0")]
    assert parsed(notification(TO, blocks)).action == "delivered"
    assert parsed(notification(TO, blocks[:2])).action == "failed"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"To: x\n\nAction: failed\nStatus: 5.1.1\n",
        b"Content-Type: multipart/report\n\nAction: failed\n",
        notification(TO, [block(action=None)]),
        notification(TO, [block("exploded")]),
        notification(TO).replace(b"message/delivery-status", b"text/plain"),
        notification(TO).replace(b"multipart/report", b"text/plain"),
    ],
)
def test_another_message_is_no_notification(raw: bytes) -> None:
    assert parse_bounce(raw) is None


@given(st.binary(max_size=2000))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    parse_bounce(raw)


FRAGMENTS = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"--b\n", b"--b--", b"\0", b"\xff", b'"', b";", b"(" * 50),
        *(b"=?utf-8?b?", b"boundary*0*=", b"To: a+", b"Action: failed\n", b"Status:"),
        b"Content-Type: message/delivery-status\n",
        b"Content-Type: multipart/report; boundary=b\n",
        b"Content-Type: multipart/mixed; boundary*=utf-9'x'%ff\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Diagnostic-Code: smtp;",
    ]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=8), max_size=60))
def test_no_pieces_of_notifications_make_it_raise(pieces: list[bytes]) -> None:
    bounce = parse_bounce(b"Content-Type: multipart/report; boundary=b\n" + b"".join(pieces))
    if bounce is not None:
        assert len(bounce.diagnostic) <= 200
        assert bounce.status == "" or bounce.status[0] in "245"


ACTIONS: list[DsnAction] = ["delivered", "failed", "relayed", "expanded", "delayed"]


@given(st.sampled_from(ACTIONS), st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True))
def test_a_notification_is_read_as_it_was_written(action: DsnAction, status: str) -> None:
    bounce = parsed(notification(TO, [block(action, status)]))
    assert (bounce.action, bounce.status) == (action, status)


@pytest.mark.parametrize(
    "hostile",
    [
        b"Content-Type: multipart/report; a=" + b'"' * LARGEST,
        b"Content-Type: multipart/report; " + b"a=b; " * (LARGEST // 5),
        b'Content-Type: multipart/report; a="' + b';\\"' * (LARGEST // 3),
        b"Content-Type: " + b"(" * LARGEST,
        b"Content-Type: message/rfc822\n\n" * (LARGEST // 30),
        b"To: " + b"+" * LARGEST,
        b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\n" * (LARGEST // 5),
        notification(TO).replace(b"Status:", b"Diagnostic-Code: smtp;" + b"a." * LARGEST),
        notification(TO).replace(b"Reporting-MTA", b"\n" * LARGEST),
    ],
    ids=range(9),
)
def test_a_hostile_message_costs_no_more_than_an_honest_one(hostile: bytes) -> None:
    honest = cost(notification(TO, [block()] * (LARGEST // 90)))
    # The library's own parser takes minutes.
    assert cost(hostile[:LARGEST]) < 20 * honest + 0.5


def cost(raw: bytes) -> float:
    """Return the seconds of the processor, not of the clock on the wall, that *raw* takes."""
    began = time.process_time()
    parse_bounce(raw)
    return time.process_time() - began
