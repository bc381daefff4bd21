"""The command `resend`: one person gets the same link once more."""

from collections.abc import Callable

import click

from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName
from pipeline.domain.resend_history import Resend
from pipeline.intake import fields
from pipeline.operations.resend import LinkResender
from pipeline.operations.resend_rules import BY, ResendRequest
from pipeline.views.timeline import mask_address
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.addresses import FROM_INPUT, AddressType
from worker.cli.console.campaigns import find_campaign
from worker.cli.console.entry import OK, command, say
from worker.cli.console.session import open_session
from worker.cli.progress.campaign_view import advice, read_view
from worker.wiring.ledger import App


@click.command()
@click.argument("campaign")
@click.argument("recipient")
@click.option(
    "--email",
    type=AddressType(),
    help=f"By e-mail, to this address from now on; {FROM_INPUT}",
)
@click.option(
    "--phone",
    type=AddressType("NUMBER"),
    help=f"By SMS, to this number from now on; {FROM_INPUT}",
)
@click.option("--yes", is_flag=True, help="Also if the link was sent to another address before.")
@actor_option
@command
async def resend(
    campaign: str, recipient: str, *, email: str | None, phone: str | None, yes: bool
) -> int:
    """
    Send RECIPIENT (an id) the same link again, in a new message.

    Without an address it goes out as it did the last time.
    """
    request = _request(email, phone, elsewhere=yes)
    async with open_session() as app:
        snapshot = await find_campaign(app, campaign)
        resending = _resending(app)
        resend = await resending.resend(snapshot, recipient, request, actor=actor())
        say(_resent(resend))
        for line in advice(await read_view(app, snapshot.serial)):
            say(line)
    return OK


def _request(email: str | None, phone: str | None, *, elsewhere: bool) -> ResendRequest:
    if email is not None and phone is not None:
        msg = "Give --email or --phone; each of them is a resend of its own."
        raise InputError(msg)
    if email is not None:
        address = _checked("--email", email, fields.email)
        return ResendRequest(channel=ChannelName.EMAIL, address=address, elsewhere=elsewhere)
    if phone is not None:
        address = _checked("--phone", phone, fields.phone)
        return ResendRequest(channel=ChannelName.SMS, address=address, elsewhere=elsewhere)
    return ResendRequest(elsewhere=elsewhere)


def _checked(option: str, text: str, normalise: Callable[[str], str]) -> str:
    """Return the address as intake keeps it; InputError says what is wrong with it."""
    try:
        return normalise(text.strip())
    except ValueError as error:
        msg = f"{option} {error}."
        raise InputError(msg) from error


def _resending(app: App) -> LinkResender:
    return LinkResender(
        app.pages,
        app.vault,
        campaigns=app.campaigns,
        deliveries=app.deliveries,
        suppressions=app.suppressions,
        audit=app.audit,
    )


def _resent(resend: Resend) -> str:
    to = resend.address
    if resend.channel is not ChannelName.WEBHOOK:
        to = mask_address(to)
    return f"The same link goes out by {BY[resend.channel]} to {to} (generation {resend.number})."
