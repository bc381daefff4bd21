"""All codes as one list, for people to look one up in: `explain`, and a table of the docs."""

import re
from collections.abc import Iterator

from pipeline.domain.codes import REASONS, Reason
from pipeline.domain.codes.sms import TWILIO
from pipeline.domain.codes.smtp import SMTP
from pipeline.domain.codes.webhook import STATUSES

_KINDS = ("block", "hold", "note", "delivery")
_HEAD = ("| code | kind | meaning | by itself | what you do |", "|---|---|---|---|---|")
# What of a regular expression a reader need not know; `x` stands for a digit.
_PLAINER = (
    (r"\d{3}", "xxx"),
    (r"\d\d", "xx"),
    (r"\d+", "…"),
    (r"\.", "."),
    (".*", "…"),
    ("(?:", "("),
    ("|", ", "),
)
_GROUP = re.compile(r"([a-z]+_)\(([^()]*)\)")


def listed() -> Iterator[tuple[str, Reason]]:
    """Yield every code, or what a pattern of codes looks like, with its meaning; by kind."""
    patterns = [(_plain(pattern), reason) for pattern, reason in (*SMTP, *TWILIO, *STATUSES)]
    found = [*REASONS.items(), *patterns]
    for kind in _KINDS:
        yield from ((code, reason) for code, reason in found if reason.kind == kind)


def markdown() -> str:
    """Return the table of docs/reference/codes.md."""
    rows = [
        " | ".join((f"| `{code}`", each.kind, each.meaning, each.by_itself, _action(each) + " |"))
        for code, each in listed()
    ]
    return "\n".join([*_HEAD, *rows])


def _action(reason: Reason) -> str:
    return reason.remedy("CAMPAIGN")


def _plain(pattern: re.Pattern[str]) -> str:
    text = pattern.pattern
    for expression, word in _PLAINER:
        text = text.replace(expression, word)
    # One prefix for all of a list reads as the list itself.
    whole = _GROUP.fullmatch(text)
    return f"{whole[1]}{whole[2]}" if whole else text
