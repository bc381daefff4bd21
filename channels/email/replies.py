"""What a reply of the mail server means for the delivery: one table of rules."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from channels.provider_text import redact_reply
from pipeline.domain.errors import BlockedError, DeliveryError, PermanentError, TransientError

SmtpPhase: TypeAlias = Literal[
    "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content"
]

GREYLIST_WAIT = 60.0
"""Seconds; a greylisting server wants at least a minute, so 4.7.x is repeated after that."""

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b", re.ASCII)


def _transient(code: str, detail: str) -> DeliveryError:
    return TransientError(code, detail)


def _slowly(code: str, detail: str) -> DeliveryError:
    return TransientError(code, detail, retry_after=GREYLIST_WAIT)


def _permanent(code: str, detail: str) -> DeliveryError:
    return PermanentError(code, detail)


def _dead(code: str, detail: str) -> DeliveryError:
    return PermanentError(code, detail, suppress=True)


def _blocked(code: str, detail: str) -> DeliveryError:
    return BlockedError(code, detail)


def _fatal(code: str, detail: str) -> DeliveryError:
    return BlockedError(code, detail, fatal=True)


@dataclass(frozen=True, slots=True)
class _Rule:
    phases: str
    """The phases it holds in, by their words; `any` is all of them."""
    reply: re.Pattern[str]
    """Matches the code, or the code and the enhanced status: `550`, `550 5.1.1`."""
    verdict: Callable[[str, str], DeliveryError]

    def holds(self, phase: SmtpPhase, reply: str) -> bool:
        return (self.phases == "any" or phase in self.phases.split()) and bool(
            self.reply.fullmatch(reply)
        )


def _rule(phases: str, reply: str, verdict: Callable[[str, str], DeliveryError]) -> _Rule:
    return _Rule(phases, re.compile(reply), verdict)


# The first that holds decides.
_RULES = (
    # About the session, the account or the configuration.
    _rule("any", r"421.*", _blocked),  # RFC 5321 3.8: the server closes; come back later
    _rule("any", r"53[0458].*", _fatal),  # RFC 4954 6: log in, too weak, wrong, needs TLS
    _rule("ehlo starttls auth", r"5.*", _fatal),  # RFC 5321 4.3.2, RFC 3207 4, RFC 4954 6
    _rule("connect ehlo starttls auth", r"[45].*", _blocked),  # RFC 5321 3.1: 554 greeting
    _rule("mail", r"[45].*", _blocked),  # RFC 5321 4.3.2: no recipient was named yet
    _rule("any", r"5\d\d 5\.1\.[78]", _blocked),  # RFC 3463 3.2: bad sender's address
    _rule("any", r"4\d\d 4\.3\.\d+", _blocked),  # RFC 3463 3.4: the server's own state
    _rule("any", r"5\d\d 5\.3\.[235]", _blocked),  # RFC 3463 3.4: not accepting, misconfigured
    _rule("any", r"5\d\d 5\.7\.\d+", _blocked),  # RFC 3463 3.8, RFC 7372: policy about us
    _rule("any", r"452", _blocked),  # RFC 5321 4.2.3: insufficient system storage
    _rule("any", r"50[0234].*|555.*", _blocked),  # RFC 5321 4.2.4: it did not take the command
    # About the recipient or the message.
    _rule("any", r"5\d\d 5\.1\.(1|2|10)", _dead),  # RFC 3463 3.2, RFC 7505 4: no such mailbox
    _rule("any", r"5\d\d 5\.2\.1", _dead),  # RFC 3463 3.3: mailbox disabled
    _rule("any", r"\d{3} [45]\.2\.2", _transient),  # RFC 3463 3.3: mailbox full
    _rule("rcpt", r"552", _transient),  # RFC 5321 4.5.3.1.10: treat as 452; mailbox full
    _rule("any", r"4\d\d 4\.7\.\d+", _slowly),  # RFC 6647 2: greylisting, rate limits
    _rule("any", r"4.*", _transient),  # RFC 5321 4.2.1: also 4.4.x, the network behind it
    _rule("any", r"5.*", _permanent),  # RFC 5321 4.2.1: also 5.3.4 and 5.6.x, the message
)


def classify_reply(phase: SmtpPhase, code: int, text: str) -> DeliveryError:
    """
    Return what the refusal *code* *text*, given in *phase*, means for the delivery.

    Its detail is the server's words without addresses and links. A code that is no refusal at
    all (1yz, 2yz, 3yz where none belongs) says that the server doesn't follow the protocol.
    """
    enhanced = _enhanced(code, text)
    reply = f"{code} {enhanced}" if enhanced else str(code)
    verdict = next((rule.verdict for rule in _RULES if rule.holds(phase, reply)), None)
    if verdict is None:
        return BlockedError("smtp_protocol", f"unexpected answer {code} to {phase}")
    return verdict(_code(code, enhanced), f"{phase}: {redact_reply(text)}")


def _enhanced(code: int, text: str) -> str:
    # RFC 2034, section 4: the class must agree with the reply's, or the status means nothing.
    match = _ENHANCED.match(text)
    return match[1] if match and match[1][0] == str(code)[0] else ""


def _code(code: int, enhanced: str) -> str:
    if code == 421:
        return "smtp_421"
    return f"smtp_{code}_{enhanced}" if enhanced else f"smtp_{code}"
