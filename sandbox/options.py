"""How a sandbox is set up; everything here stays as it is while the sandbox runs."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from sandbox.answers import LinkShape
from sandbox.faults import Faults, MailFaults


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """
    The mail sink; port 0 takes a free one.

    `starttls` and `tls` need `certificate` and `key` (PEM files); with a `user` every client must
    log in. `keep="index"` writes no files, only the index that the control endpoint shows.
    """

    port: int = 0
    security: Literal["none", "starttls", "tls"] = "none"
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password: str = field(default="", repr=False)
    keep: Literal["maildir", "index"] = "maildir"
    faults: MailFaults = field(default_factory=MailFaults)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """
    The rewards API; times are seconds, port 0 takes a free one.

    `directory` holds the account and the mails and may hold those of an earlier run. `funds` is
    what a new account starts with (None: unlimited). An order of more than `async_above` links is
    Pending first (0: every order, None: no order) and completes after `async_delay` (None: only
    through the control endpoint).
    """

    directory: Path
    api_port: int = 0
    seed: int = 1
    email: str = "sandbox@example.com"
    access_token: str = field(default="sandbox-access-token", repr=False)
    token_lifetime: int = 3600
    funds: Decimal | None = None
    async_above: int | None = 50
    async_delay: float | None = 1.0
    latency: float = 0.0
    link_shape: LinkShape = "links"
    faults: Faults = field(default_factory=Faults)
    mail: MailOptions = field(default_factory=MailOptions)
