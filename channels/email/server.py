"""The mail server to submit to, as values."""

import ssl
from dataclasses import dataclass, field
from typing import Literal

from pipeline.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """
    Where and how mail is handed over; times are in seconds.

    `sender` is `Name <addr>` or an address. With `starttls` nothing is ever sent in clear after
    EHLO, with `tls` nothing at all. `ca_file` (PEM) is trusted instead of the system's
    authorities. `reply_timeout` is the wait for the answer to the content, which RFC 5321
    (section 4.5.3.2.6) wants at 10 minutes: giving up earlier makes duplicates.
    """

    host: str
    port: int = 587
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    connections: int = 20
    ca_file: str | None = None
    verify: bool = True
    messages_per_connection: int = 1000
    idle_timeout: float = 30.0
    connect_timeout: float = 10.0
    command_timeout: float = 60.0
    reply_timeout: float = 600.0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what to check the server's certificate with; InputError on a bad ca_file."""
        if self.security == "none":
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            msg = f"the CA file {self.ca_file} cannot be used: {error.strerror or 'not PEM'}"
            raise InputError(msg) from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
