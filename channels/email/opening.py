"""From nothing to a session that can take messages: connect, greet, encrypt, log in."""

import re
import socket
import ssl

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPTimeoutError,
)

from channels.email.replies import SmtpPhase, classify_reply
from channels.email.server import SmtpServer
from channels.provider_text import redact_reply
from pipeline.domain.errors import BlockedError, DeliveryError

_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


async def open_client(server: SmtpServer, context: ssl.SSLContext | None) -> SMTP:
    """
    Return a client that is connected, encrypted as wanted, and logged in.

    Raises BlockedError, `fatal` if only a person can mend it; nothing is left open then.
    """
    client = SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname="localhost",  # until we know better, so that it isn't asked of the DNS
        timeout=server.command_timeout,
        use_tls=server.security == "tls",
        start_tls=False,  # done below, where a refusal can be told from a broken line
        tls_context=context,
    )
    opening = _Opening(client, server)
    try:
        await opening.open()
    except (SMTPException, OSError, ValueError) as error:
        client.close()
        raise _failure(opening.phase, error) from None
    except BaseException:
        client.close()
        raise
    return client


class _Opening:
    def __init__(self, client: SMTP, server: SmtpServer) -> None:
        self._client = client
        self._server = server
        self.phase: SmtpPhase = "connect"

    async def open(self) -> None:
        await self._client.connect(timeout=self._server.connect_timeout)
        self._client.local_hostname = _own_name(self._client)
        await self._greet()
        if self._server.security == "starttls":
            self.phase = "starttls"
            await self._encrypt()
            await self._greet()
        if self._server.username:
            self.phase = "auth"
            await self._log_in(self._server.username, self._server.password or "")

    async def _greet(self) -> None:
        self.phase = "ehlo"
        await self._client.ehlo()

    async def _encrypt(self) -> None:
        if not self._client.supports_extension("starttls"):
            code = "smtp_no_starttls"
            raise BlockedError(code, "the server does not offer STARTTLS", fatal=True)
        await self._client.starttls()

    async def _log_in(self, username: str, password: str) -> None:
        methods = {
            "plain": self._client.auth_plain,
            "login": self._client.auth_login,
            "cram-md5": self._client.auth_crammd5,
        }
        offered = [method for method in methods if method in self._client.server_auth_methods]
        if self._server.security == "none":
            offered.reverse()  # CRAM-MD5 is the one that keeps the password to itself
        for method in offered:
            try:
                await methods[method](username, password)
            except SMTPAuthenticationError as error:
                # Only "no such mechanism" is worth another try: each wrong password counts
                # towards the lock-out of the account.
                if error.code != 504:
                    raise
            else:
                return
        code = "smtp_no_auth"
        raise BlockedError(code, "the server offers no way to log in that we know", fatal=True)


def _own_name(client: SMTP) -> str:
    """Return what to call ourselves in EHLO: RFC 5321, section 4.1.4."""
    name = socket.gethostname()
    if _HOST.fullmatch(name):
        return name
    address = str(client.get_transport_info("sockname")[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _failure(phase: SmtpPhase, error: SMTPException | OSError | ValueError) -> DeliveryError:
    cause = error.__cause__ or error
    if isinstance(error, SMTPResponseException) and error.code > 0:
        return classify_reply(phase, error.code, error.message)
    if isinstance(cause, ssl.SSLCertVerificationError):
        detail = f"the server's certificate is not valid: {cause.verify_message}"
        return BlockedError("smtp_certificate", detail, fatal=True)
    return BlockedError(_code(error, cause), f"{phase}: {redact_reply(str(cause))}")


def _code(error: Exception, cause: BaseException) -> str:
    if isinstance(error, SMTPTimeoutError):
        return "smtp_timeout"
    if isinstance(cause, ssl.SSLError):
        return "smtp_tls"
    if isinstance(cause, (socket.gaierror, UnicodeError)):
        return "smtp_dns"
    return "smtp_protocol" if isinstance(error, SMTPResponseException) else "smtp_connect"
