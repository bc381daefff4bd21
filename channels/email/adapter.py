"""The e-mail channel: SMTP submission through a pool of connections."""

from channels.email.address import Mailbox
from channels.email.connection import Connection, StaleConnectionError
from channels.email.mime import EmailComposer
from channels.email.pool import Pool
from channels.email.replies import redact
from channels.email.server import SmtpServer
from pipeline.campaign import Campaign
from pipeline.errors import InputError
from pipeline.models import ChannelName, Message, Receipt
from pipeline.ports import Clearance


class EmailChannel:
    """
    Implements `pipeline.ports.Channel`; raises InputError if *server* can't be used as it is.

    Each message is a transaction of its own with one recipient. `sender` is checked here, the
    server itself not before the first message or `check`.
    """

    name: ChannelName = ChannelName.EMAIL

    def __init__(self, server: SmtpServer) -> None:
        self.connections = server.connections
        self._server = server
        self._sender = Mailbox.parse(server.sender, where="the sender of e-mail")
        self._pool = Pool(server, self._sender.address)

    def composer(self, campaign: Campaign) -> EmailComposer:
        """Compile the campaign's templates; raises InputError if they cannot be used."""
        if campaign.email is None:
            msg = f"campaign {campaign.id} has no [email] section"
            raise InputError(msg)
        return EmailComposer(campaign.email, self._sender)

    async def send(self, message: Message, clearance: Clearance) -> Receipt:
        """Submit one message; see `pipeline.ports.Channel.send`."""
        async with self._pool.slots:
            connection = self._pool.reusable()
            if connection is not None:
                try:
                    return await self._send(connection, message, clearance)
                except StaleConnectionError:
                    pass  # the server had closed it: once more, over a new one
            return await self._send(await self._pool.open(), message, clearance)

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

    async def _send(
        self, connection: Connection, message: Message, clearance: Clearance
    ) -> Receipt:
        try:
            return Receipt(reference=redact(await connection.transact(message, clearance)))
        finally:
            self._pool.put_back(connection)
