"""Which account at which rewards API, and the secret that opens it."""

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pipeline.domain.errors import InputError

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    The address of the API and our credentials there.

    Raises InputError, with a sentence that says what to mend, if they cannot be used.
    """

    base_url: str
    email: str
    access_token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _is_base_url(self.base_url):
            msg = (
                "CLAIMCAST_REWARDS__BASE_URL must be an address such as https://api.example.com,"
                " without user name, query and fragment"
            )
            raise InputError(msg)
        for name, value in (("EMAIL", self.email), ("ACCESS_TOKEN", self.access_token)):
            if not _HEADER_SAFE.fullmatch(value):
                msg = f"CLAIMCAST_REWARDS__{name} must be visible ASCII characters without spaces"
                raise InputError(msg)

    @property
    def digest(self) -> str:
        """What stands for this account in the names of keys: no two accounts share it."""
        name = f"{self.base_url.rstrip('/')}\n{self.email.lower()}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]


def _is_base_url(text: str) -> bool:
    # httpx logs the URL of every request, so a password in it would be logged too.
    if not text.isprintable() or any(each in text for each in ' ?#@\\"<>'):
        return False
    try:
        parts = urlsplit(text)
        (parts.hostname or "").encode("idna")
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
