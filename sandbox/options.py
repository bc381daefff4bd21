"""How a sandbox is set up; everything here stays as it is while the sandbox runs."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from sandbox.faults import Faults, MailFaults, SmsFaults

LinkShape = Literal["links", "claim_links", "top_level", "nested"]
"""
Where the links of an order are.

* links        `LineItems[].Links[].Url`
* claim_links  `LineItems[].ClaimLinks[]`, bare strings
* top_level    `Links[].Url` beside the line items
* nested       `LineItems[].Claims[].Link.Url`
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """
    The mail sink; port 0 takes a free one.

    `starttls` and `tls` need `certificate` and `key` (PEM files); with a `user` every client must
    log in. `keep="index"` writes no files, only the index that the control endpoint shows.
    A delivery status notification comes `bounce_delay` seconds after its mail and is posted to
    `bounce_url`, on loopback.
    """

    port: int = 0
    security: Literal["none", "starttls", "tls"] = "none"
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password: str = field(default="", repr=False)
    keep: Literal["maildir", "index"] = "maildir"
    bounce_url: str | None = None
    bounce_delay: float = 0.5
    faults: MailFaults = field(default_factory=MailFaults)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsOptions:
    """
    The SMS API, which is at the port of the rewards API; times are in seconds.

    A message is sent after `sent_after` and delivered `delivered_after` later. Messages from
    people are posted to `inbound_url`; this and callbacks go to loopback only.
    """

    account_sid: str = "AC5a4db0c0ffee5a4db0c0ffee5a4db0c0"
    auth_token: str = field(default="sandbox-auth-token", repr=False)
    sent_after: float = 0.2
    delivered_after: float = 0.3
    inbound_url: str | None = None
    faults: SmsFaults = field(default_factory=SmsFaults)


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
    sms: SmsOptions = field(default_factory=SmsOptions)
