"""The e-mail channel: SMTP submission through a pool of connections."""

from channels.email.address import Mailbox, is_wire_form
from channels.email.mime import EmailComposer
from channels.email.pool import ConnectionPool
from channels.email.server import SmtpServer
from channels.email.transaction import StaleConnectionError, Transaction
from channels.provider_text import redact_reply
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import ChannelName, Message, Receipt
from pipeline.domain.ports import SendGuard


class EmailChannel:
    """
    Implements the port `Channel`; raises InputError if *server* can't be used as it is.

    Each message is a transaction of its own with one recipient. `sender` is checked here, the
    server itself not before the first message or `check`.
    """

    name: ChannelName = ChannelName.EMAIL

    def __init__(self, server: SmtpServer) -> None:
        self.connections = server.connections
        # One on the wire, and one whose envelope is pipelined behind it (RFC 2920).
        self.senders = 2 * server.connections
        self._server = server
        self._sender = Mailbox.parse(server.sender, where="the sender of e-mail")
        self._pool = ConnectionPool(server, self._sender.address)

    def composer(self, campaign: Campaign) -> EmailComposer:
        """Compile the campaign's templates; raises InputError if they cannot be used."""
        if campaign.email is None:
            msg = f"campaign {campaign.id} has no [email] section"
            raise InputError(msg)
        return EmailComposer(campaign.email, self._sender)

    async def send(self, message: Message, send_guard: SendGuard) -> Receipt:
        """Submit one message; see `pipeline.domain.ports.Channel.send`."""
        if not is_wire_form(message.to):
            code = "bad_address"
            raise PermanentError(code, "the address cannot stand in an SMTP command")
        try:
            return await self._send(message, send_guard, fresh=False)
        except StaleConnectionError:
            # The server had closed it before this message began: once more, over a new one.
            return await self._send(message, send_guard, fresh=True)

    async def check(self) -> str:
        """Connect and log in without sending; return what was found."""
        connection = await self._pool.open()
        addresses = connection.describe()
        await connection.quit()
        server = self._server
        security = "without encryption" if server.security == "none" else f"over {server.security}"
        login = "logged in" if server.username else "without a login"
        return f"{server} takes mail {security}, {login}, for {addresses}."

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        await self._pool.aclose()

    async def _send(self, message: Message, send_guard: SendGuard, *, fresh: bool) -> Receipt:
        transaction = Transaction(message, send_guard)
        connection = await self._pool.begin(transaction, fresh=fresh)
        try:
            return Receipt(reference=redact_reply(await connection.outcome(transaction)))
        finally:
            self._pool.finish(transaction, connection)
