"""Addresses as they may stand in an envelope and in a header."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import idna

from pipeline.domain.errors import InputError, PermanentError

MAX_ADDRESS = 254
"""Octets: RFC 5321, section 4.5.3.1.3, less the angle brackets."""

# A dot-atom (RFC 5321, section 4.1.2), with RFC 6531's characters beyond ASCII; no quoted local
# parts, which the intake refuses as well.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\u167f\u1681-\u1fff\u2030-\u2fff\u3001-\ud7ff"
_LOCAL += r"\uf900-\ufefe\uff01-\uffef\U00010000-\U0010fffd-]{1,64}"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_SPEC = re.compile(f"{_LOCAL}@{_DOMAIN}")
_MAILBOX = re.compile(r'\s*(?:"(?P<quoted>[^<>]*)"|(?P<name>[^<>"]*?))\s*<(?P<spec>[^<>]+)>\s*')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name (any Unicode, may be empty) and an address fit for envelope and header."""

    name: str
    address: str

    @classmethod
    def parse(cls, text: str, *, where: str) -> Self:
        """Read `Name <addr>` or `addr`; raises InputError that names *where*."""
        match = _MAILBOX.fullmatch(text)
        spec = match["spec"] if match else text.strip()
        name = (match["quoted"] or match["name"] or "") if match else ""
        address = _wire_form(spec)
        if address is None or not address.isascii():
            msg = (
                f"{where} must be an e-mail address, alone or as in: Help desk <help@example.com>"
            )
            raise InputError(msg)
        return cls(name.replace('\\"', '"'), address)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def wire_form(address: str) -> str:
    """
    Return *address* with its domain in ASCII (IDNA 2008), ready for envelope and header.

    What still is not ASCII has a local part that needs SMTPUTF8. Raises PermanentError if the
    address can't be used.
    """
    spec = _wire_form(address)
    if spec is None:
        code = "bad_address"
        raise PermanentError(code, "the recipient's e-mail address cannot be used in a message")
    return spec


def is_wire_form(address: str) -> bool:
    """Return whether *address* can stand in an SMTP command without breaking out of it."""
    fits = len(address) <= MAX_ADDRESS and bool(_SPEC.fullmatch(address))
    return fits and (address.isascii() or len(address.encode()) <= MAX_ADDRESS)


def _wire_form(address: str) -> str | None:
    if not address.isascii():
        local, _, domain = address.rpartition("@")
        address = f"{local}@{_ascii_domain(domain)}"
    return address if is_wire_form(address) else None


@lru_cache(maxsize=1024)
def _ascii_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        return ""  # which no address may end with
