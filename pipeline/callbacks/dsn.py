"""Delivery status notifications (RFC 3464): which message each is about, and what it says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import Literal, cast, get_args

from pipeline.domain.models import FactKind
from pipeline.domain.safe_text import clean

DsnAction = Literal["delivered", "failed", "relayed", "expanded", "delayed"]

LARGEST = 1 << 20
"""The most bytes of a notification that are accepted; a longer one quotes an attachment."""

# The report comes first; what is quoted of the message after it is of no interest.
_READ = 1 << 18
# The library's parsers of header values take quadratic time; honest values are far shorter.
_LONGEST_VALUE = 1000
_MOST_PARTS = 10
_MOST_BLOCKS = 50
_MOST_TOKENS = 20

_ADDRESSED = frozenset({"to", "delivered-to", "x-original-to", "envelope-to"})
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})  # RFC 6533
_TOKEN = re.compile(r"\+([a-z2-7]{20,64})@", re.IGNORECASE)
_ACTION = re.compile(r"\s*([a-z]+)", re.IGNORECASE)
_STATUS = re.compile(r"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
# RFC 3463, sections 3.2 and 3.3: there is no such mailbox, or it is disabled. 5.1.5 is a valid
# address, 5.1.7 and 5.1.8 are about the sender's, 5.1.9 (RFC 3886) is no failure.
_DEAD = re.compile(r"5\.1\.(?![5789]$)[0-9]+|5\.2\.1")
# Of several mailboxes behind one address, one that got the message is enough.
_BY_WEIGHT: tuple[DsnAction, ...] = get_args(DsnAction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """
    What one notification says.

    `tokens` are what may be tokens in the addresses that it was sent to (VERP); nothing here may
    be believed before one of them proves to be ours. `status` is an enhanced status code (RFC
    3463), empty if none was given; `diagnostic` is the mail server's words, masked.
    """

    tokens: tuple[str, ...]
    action: DsnAction
    status: str = ""
    diagnostic: str = ""

    def fact(self) -> tuple[FactKind, str] | None:
        """
        Return kind and code of the fact that this is, or None if it is not final.

        A failure is final whatever the class of its status: a server that has given up after
        days of 4.4.1 reports it as failed (RFC 3464, section 2.3.3).
        """
        match self.action:
            case "failed":
                return FactKind.BOUNCED, f"bounce_{self.status or '5.0.0'}"
            case "delivered":
                return FactKind.DELIVERED, ""
            case "relayed" | "expanded" | "delayed":
                return None

    @property
    def dead(self) -> bool:
        """Whether the address itself is dead, so that nobody should write to it again."""
        return self.action == "failed" and _DEAD.fullmatch(self.status) is not None


def parse_bounce(raw: bytes) -> Bounce | None:
    """
    Read a message; None if it is no delivery status notification.

    Never raises and takes linear time, whatever *raw* is: forged ones come from anybody.
    """
    text = raw[:_READ].decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    message = HeaderParser().parsestr(text.lstrip("\n"))
    reports = (_reported(part) for part in _parts(message))
    found = min(
        (report for blocks in reports for report in blocks),
        key=lambda report: _BY_WEIGHT.index(report[0]),
        default=None,
    )
    if found is None:
        return None
    action, status, diagnostic = found
    return Bounce(tokens=_tokens(message), action=action, status=status, diagnostic=diagnostic)


def _tokens(message: "Message[str, str]") -> tuple[str, ...]:
    found = dict.fromkeys(
        token.lower()
        for name, value in message.items()
        if name.lower() in _ADDRESSED
        for token in _TOKEN.findall(value)
    )
    return tuple(found)[:_MOST_TOKENS]


def _parts(message: "Message[str, str]") -> Iterator["Message[str, str]"]:
    """Yield the parts of a multipart message, each with its content as text."""
    if len(message.get("content-type", "")) > _LONGEST_VALUE:
        return
    boundary = message.get_boundary() if message.get_content_maintype() == "multipart" else None
    if not boundary:
        return
    line = re.compile(rf"^--{re.escape(boundary)}(?:--)?[ \t]*(?:\n|\Z)", re.MULTILINE)
    for part in line.split(_content(message), maxsplit=_MOST_PARTS)[1:]:
        yield HeaderParser().parsestr(part)


def _reported(part: "Message[str, str]") -> Iterator[tuple[DsnAction, str, str]]:
    """Yield action, status and diagnostic for each recipient in a part, if it is a report."""
    if len(part.get("content-type", "")) > _LONGEST_VALUE:
        return
    if part.get_content_type() not in _REPORTS:
        return
    for block in _BLANK_LINE.split(_decoded(part), maxsplit=_MOST_BLOCKS)[:_MOST_BLOCKS]:
        fields = HeaderParser().parsestr(block.lstrip("\n"))
        action = _ACTION.match(fields.get("action", ""))
        word = action[1].lower() if action else ""
        if word in _BY_WEIGHT:
            status = _STATUS.match(fields.get("status", ""))
            words = fields.get("diagnostic-code", "").partition(";")[2]
            yield cast("DsnAction", word), status[1] if status else "", clean(words, 200)


def _decoded(part: "Message[str, str]") -> str:
    if part.get("content-transfer-encoding", "").strip().lower() in {"base64", "quoted-printable"}:
        raw = cast("bytes", part.get_payload(decode=True))
        return raw.decode(errors="replace").replace("\r\n", "\n")
    return _content(part)


def _content(message: "Message[str, str]") -> str:
    return cast("str", message.get_payload())
