import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.replies import SmtpPhase, classify_reply
from pipeline.domain.errors import BlockedError, DeliveryError, PermanentError, TransientError

PHASES: list[SmtpPhase] = [
    "connect",
    "ehlo",
    "starttls",
    "auth",
    "mail",
    "rcpt",
    "data",
    "content",
]


def verdict(error: DeliveryError) -> str:
    """Return the decision in words."""
    match error:
        case PermanentError(suppress=True):
            return "dead"
        case TransientError(retry_after=60.0):
            return "slowly"
        case BlockedError(fatal=True):
            return "fatal"
        case _:
            return type(error).__name__.removesuffix("Error").lower()


@pytest.mark.parametrize(
    ("phase", "reply", "expected", "code"),
    [
        ("rcpt", "550 5.1.1 no such user", "dead", "smtp_550_5.1.1"),
        ("rcpt", "550 5.1.2 no such domain", "dead", "smtp_550_5.1.2"),
        ("rcpt", "556 5.1.10 null MX", "dead", "smtp_556_5.1.10"),
        ("rcpt", "550 5.2.1 disabled", "dead", "smtp_550_5.2.1"),
        ("content", "550 5.1.1 no such user", "dead", "smtp_550_5.1.1"),
        ("rcpt", "550 no such user", "permanent", "smtp_550"),
        ("rcpt", "551 user not local", "permanent", "smtp_551"),
        ("rcpt", "501 5.1.3 bad address", "permanent", "smtp_501_5.1.3"),
        ("rcpt", "553 5.6.7 SMTPUTF8 needed", "permanent", "smtp_553_5.6.7"),
        ("rcpt", "550 5.4.1 access denied", "permanent", "smtp_550_5.4.1"),
        ("content", "554 transaction failed", "permanent", "smtp_554"),
        ("content", "552 5.3.4 too big", "permanent", "smtp_552_5.3.4"),
        ("content", "552 too much mail data", "permanent", "smtp_552"),
        ("content", "554 5.6.0 bad content", "permanent", "smtp_554_5.6.0"),
        ("rcpt", "452 4.2.2 mailbox full", "transient", "smtp_452_4.2.2"),
        ("rcpt", "552 5.2.2 mailbox full", "transient", "smtp_552_5.2.2"),
        ("rcpt", "552 mailbox full", "transient", "smtp_552"),
        ("rcpt", "450 4.4.1 no answer from host", "transient", "smtp_450_4.4.1"),
        ("rcpt", "450 mailbox busy", "transient", "smtp_450"),
        ("content", "451 local error", "transient", "smtp_451"),
        ("rcpt", "450 4.7.1 greylisted", "slowly", "smtp_450_4.7.1"),
        ("content", "451 4.7.0 slow down", "slowly", "smtp_451_4.7.0"),
        ("rcpt", "550 5.7.1 relay denied", "blocked", "smtp_550_5.7.1"),
        ("content", "550 5.7.26 DMARC", "blocked", "smtp_550_5.7.26"),
        ("rcpt", "553 5.1.8 bad sender's domain", "blocked", "smtp_553_5.1.8"),
        ("rcpt", "452 4.3.1 disk full", "blocked", "smtp_452_4.3.1"),
        ("rcpt", "452 insufficient storage", "blocked", "smtp_452"),
        ("content", "554 5.3.2 not accepting", "blocked", "smtp_554_5.3.2"),
        ("data", "503 5.5.1 bad sequence", "blocked", "smtp_503_5.5.1"),
        ("mail", "550 sender refused", "blocked", "smtp_550"),
        ("mail", "451 4.7.1 later", "blocked", "smtp_451_4.7.1"),
        ("mail", "421 4.7.0 too many", "blocked", "smtp_421"),
        ("content", "421 shutting down", "blocked", "smtp_421"),
        ("connect", "554 no service here", "blocked", "smtp_554"),
        ("starttls", "454 not now", "blocked", "smtp_454"),
        ("auth", "454 4.7.0 later", "blocked", "smtp_454_4.7.0"),
        ("ehlo", "550 go away", "fatal", "smtp_550"),
        ("auth", "535 5.7.8 wrong password", "fatal", "smtp_535_5.7.8"),
        ("mail", "530 5.7.0 log in first", "fatal", "smtp_530_5.7.0"),
        ("rcpt", "530 5.7.0 log in first", "fatal", "smtp_530_5.7.0"),
        ("auth", "534 too weak", "fatal", "smtp_534"),
        ("auth", "538 needs encryption", "fatal", "smtp_538"),
        ("mail", "250 fine", "blocked", "smtp_protocol"),
    ],
)
def test_reply_means_what_the_standards_say(
    phase: SmtpPhase, reply: str, expected: str, code: str
) -> None:
    error = classify_reply(phase, int(reply[:3]), reply[4:])

    assert (verdict(error), error.code) == (expected, code)


def test_digits_of_other_scripts_are_no_status() -> None:
    assert classify_reply("rcpt", 550, "5.1.\u0661 gone").code == "smtp_550"


def test_enhanced_status_of_another_class_than_the_reply_is_not_believed() -> None:
    later, gone = (
        classify_reply("rcpt", 450, "5.1.1 later"),
        classify_reply("rcpt", 550, "4.2.2 full"),
    )

    assert (verdict(later), later.code) == ("transient", "smtp_450")
    assert (verdict(gone), gone.code) == ("permanent", "smtp_550")


@given(
    phase=st.sampled_from(PHASES),
    code=st.integers(-1, 999),
    text=st.text() | st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}\b.*"),
)
def test_every_reply_gets_a_code_that_can_be_stored(
    phase: SmtpPhase, code: int, text: str
) -> None:
    error = classify_reply(phase, code, text)

    assert len(error.code) <= 20
    assert error.code
    assert set(error.code) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.")


@given(code=st.integers(400, 599), text=st.text())
def test_no_refusal_before_a_recipient_is_named_costs_the_recipient_anything(
    code: int, text: str
) -> None:
    phases: list[SmtpPhase] = ["connect", "ehlo", "starttls", "auth", "mail"]
    for phase in phases:
        assert isinstance(classify_reply(phase, code, text), BlockedError)
