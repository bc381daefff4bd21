"""The SMS channel: Twilio's Messages API through its official SDK."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
from twilio.base.values import unset  # type: ignore[import-untyped] # no py.typed
from twilio.rest import Client  # type: ignore[import-untyped] # no py.typed

from channels.sms.account import TwilioAccount
from channels.sms.codes import failure
from channels.sms.composer import SmsComposer
from channels.sms.lookup import newest
from channels.sms.transport import Attempt, Transport, exchange_failure, open_http_session
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import (
    BlockedError,
    ClaimcastError,
    DeliveryError,
    InputError,
    PermanentError,
    UncertainError,
)
from pipeline.domain.models import ChannelName, Message, Receipt
from pipeline.domain.ports import SendGuard

_PAGE_SIZE = 50
_PAGES = 4
"""Twilio lists the newest first, and nobody gets 200 messages from us within minutes."""

# Else the SDK reads TWILIO_EDGE and TWILIO_REGION, which would change the host.
_NO_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}

T = TypeVar("T")


class SmsChannel:
    """
    Implements `pipeline.domain.ports.Channel`; the account is first tried by a message or `check`.

    All requests share one session of at most `connections` connections, opened on first use.
    Nothing is ever sent twice by itself: Twilio knows no idempotency key.
    """

    name: ChannelName = ChannelName.SMS
    looks_up = True

    def __init__(self, account: TwilioAccount) -> None:
        self.connections = self.senders = account.connections
        self._account = account
        self._slots = asyncio.Semaphore(account.connections)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def composer(self, campaign: Campaign) -> SmsComposer:
        """Compile the campaign's template; raises InputError if it cannot be used."""
        if campaign.sms is None:
            msg = f"campaign {campaign.id} has no [sms] section"
            raise InputError(msg)
        return SmsComposer(campaign.sms)

    async def send(self, message: Message, send_guard: SendGuard) -> Receipt:
        """Create one message at Twilio; see `pipeline.domain.ports.Channel.send`."""
        account = self._account

        async def create(client: Client) -> Any:  # noqa: ANN401 - the SDK is untyped
            return await client.messages.create_async(
                to=message.to,
                body=message.content.decode(),
                from_=account.from_number or unset,
                messaging_service_sid=account.messaging_service_sid or unset,
                status_callback=message.callback or unset,
                validity_period=account.validity,
            )

        created = await self._exchange(create, Attempt(send_guard))
        if not created.sid:
            code = "twilio_bad_answer"
            raise UncertainError(code)
        outcome = _outcome(created)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    async def look_up(
        self, message: Message, *, not_before: float
    ) -> Receipt | DeliveryError | None:
        """
        Ask whether Twilio has *message*, of an attempt not older than *not_before*.

        *not_before* is seconds since the epoch. Returns a Receipt if Twilio has it and it has
        not failed, the reason if it has failed, None if it is not there (yet). Raises
        TransientError or BlockedError if the question got no answer; may be repeated.
        """
        if not message.link:
            return None

        async def listed(client: Client) -> list[Any]:
            return await _listed(client, message.to)

        found = newest(await self._ask(listed), message.link, not_before=not_before)
        return None if found is None else _outcome(found)

    async def check(self) -> str:
        """List one message, which needs the right login; return what was found."""

        async def first_page(client: Client) -> Any:  # noqa: ANN401 - the SDK is untyped
            return await client.messages.page_async(page_size=1)

        await self._ask(first_page)
        account = self._account
        return (
            f"{account.base_url} answers, logged in to account {account.account_sid[:6]}…; "
            f"SMS are sent from {account.sender}."
        )

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Read something; that it failed says nothing about any message."""
        try:
            return await self._exchange(question, Attempt())
        except (UncertainError, PermanentError) as error:
            raise BlockedError(error.code, error.detail) from None

    async def _exchange(self, request: Callable[[Client], Awaitable[T]], attempt: Attempt) -> T:
        async with self._slots:
            client = self._client(attempt)
            try:
                return await request(client)
            except ClaimcastError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is: did the request leave?
                raise exchange_failure(error, left=attempt.left) from None

    def _client(self, attempt: Attempt) -> Client:
        if self._closed:
            code = "twilio_closed"
            raise BlockedError(code, "the channel is closed")
        if self._session is None:
            self._session = open_http_session(self._account)
        client = Client(
            self._account.account_sid,
            self._account.auth_token,
            http_client=Transport(self._session, attempt),
            environment=_NO_ENVIRONMENT,
        )
        client.api.base_url = self._account.base_url
        return client


async def _listed(client: Client, to: str) -> list[Any]:
    page = await client.messages.page_async(to=to, page_size=_PAGE_SIZE)
    found = list(page)
    for _ in range(_PAGES - 1):
        page = await page.next_page_async()
        if page is None:
            break
        found += page
    return found


def _outcome(message: Any) -> Receipt | DeliveryError:  # noqa: ANN401 - the SDK is untyped
    return failure(message.status, message.error_code) or Receipt(reference=message.sid)
