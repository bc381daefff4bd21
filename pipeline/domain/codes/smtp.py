"""What the reply codes of a mail server mean, by the rules of the e-mail channel."""

import re

from pipeline.domain.codes.reason import (
    ANOTHER,
    DEAD,
    FAILED,
    RESUME,
    TRIES,
    WAITS,
    Reason,
    ReasonKind,
)


def _smtp(
    pattern: str, meaning: str, by_itself: str, action: str, kind: ReasonKind = "delivery"
) -> tuple[re.Pattern[str], Reason]:
    return re.compile(pattern), Reason("", kind, meaning, by_itself, action)


# The first that matches the code holds, as in channels/email/replies.py.
SMTP = (
    _smtp(
        r"bounce_.*",
        "a delivery status notification says that the mail did not arrive in the end",
        ANOTHER,
        DEAD,
    ),
    _smtp(
        r"smtp_53[0458].*",
        "the mail server does not accept our login",
        WAITS,
        "Correct CLAIMCAST_SMTP__USERNAME, __PASSWORD and __SECURITY, restart the workers, "
        f"{RESUME}; `claimcast doctor` tries them.",
        kind="block",
    ),
    _smtp(
        r"smtp_5\d\d_5\.1\.([12]|10)",
        "there is no such mailbox",
        ANOTHER,
        DEAD,
    ),
    _smtp(
        r"smtp_5\d\d_5\.2\.1",
        "the mailbox is closed",
        ANOTHER,
        DEAD,
    ),
    _smtp(
        r"smtp_\d{3}_[45]\.2\.2|smtp_552",
        "the mailbox is full",
        TRIES,
        "Nothing has to be done, or the person makes room.",
    ),
    _smtp(
        r"smtp_5\d\d_5\.7\.\d+",
        "the mail server refuses mail from us by its policy",
        WAITS,
        "Check the sender's SPF, DKIM and DMARC records, and with the provider why.",
    ),
    _smtp(
        r"smtp_5\d\d_5\.1\.[78]",
        "the mail server does not accept our sender address",
        WAITS,
        f"Correct CLAIMCAST_SMTP__SENDER, restart the workers, {RESUME}.",
    ),
    _smtp(
        r"smtp_4\d\d_4\.7\.\d+",
        "the mail server wants us to come back later (greylisting or a rate limit)",
        TRIES,
        "If it goes on, lower the rate with `claimcast limits set email RATE`.",
    ),
    _smtp(
        r"smtp_(4\d\d_4\.3\.\d+|5\d\d_5\.3\.[235]|452|50[0234].*|555.*)",
        "the mail server cannot take mail for now",
        WAITS,
        "If it goes on, ask whoever runs the mail server.",
    ),
    _smtp(
        r"smtp_4.*",
        "the mail server could not take this message for now",
        TRIES,
        "Nothing has to be done.",
    ),
    _smtp(
        r"smtp_5.*",
        "the mail server refuses this message or this recipient",
        ANOTHER,
        f"If the message was at fault, correct it and run {FAILED}.",
    ),
)
