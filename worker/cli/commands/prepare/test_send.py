"""The command `test-send`: one real message with a link that is worth nothing."""

import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import click

from config.errors import ConfigError
from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import (
    BlockedError,
    ClaimcastError,
    DeliveryError,
    InputError,
    PermanentError,
    UnavailableError,
    UncertainError,
)
from pipeline.domain.models import (
    ADDRESS_FIELD,
    ChannelName,
    DeliveryKey,
    Message,
    Receipt,
    Recipient,
    ReturnPaths,
)
from pipeline.domain.ports import Composer
from pipeline.domain.stored_format import FormatError
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.fields import Fault, recipient_of
from pipeline.intake.preflight.outside import require_channels
from pipeline.intake.preflight.previews import EXAMPLE_LINK
from pipeline.intake.template_checks import needed_columns
from pipeline.store.outages import STORE_ERRORS
from worker.cli.console.addresses import FROM_INPUT, AddressType
from worker.cli.console.configured import settings
from worker.cli.console.entry import OK, command, explain_error, say
from worker.wiring.engine import open_app, open_channels

_SAMPLE = {"id": "test", "name": "Test Person", "locale": "en", "timezone": "UTC"}


class VariableType(click.ParamType[tuple[str, str]]):
    """A template variable with its value, as in `city=Paris`."""

    name = "NAME=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        if not equals or not name.strip():
            self.fail("must be NAME=VALUE, such as city=Paris", param, ctx)
        return name.strip(), text


@click.command("test-send")
@click.argument("campaign_file", metavar="CAMPAIGN.toml", type=click.Path(path_type=Path))
@click.option("--email", type=AddressType(), help=f"Send the e-mail to this address; {FROM_INPUT}")
@click.option(
    "--phone",
    type=AddressType("NUMBER"),
    help=f"Send the SMS to this number, in E.164; {FROM_INPUT}",
)
@click.option("--webhook", metavar="ID", help="Post the message for this recipient id.")
@click.option(
    "--set",
    "given",
    type=VariableType(),
    multiple=True,
    help="The value of a template variable; without it, its name. May be repeated.",
)
@command
async def test_send(
    campaign_file: Path,
    *,
    email: str | None,
    phone: str | None,
    webhook: str | None,
    given: tuple[tuple[str, str], ...],
) -> int:
    """
    Send one test message of CAMPAIGN.toml through the channel that is configured here.

    It is what a recipient would get, but for the link, which is worth nothing, and for the ways
    back: no callback, no unsubscribing. Nothing is submitted, ordered or counted, and no Redis is
    needed; where there is one, an address on its suppression list is not written to.
    """
    channel, address = _target(email, phone, webhook)
    found = settings()
    campaign = _with_only(_read(campaign_file), channel)
    recipient = _recipient(campaign, channel, address, dict(given))
    await require_channels(lambda: open_channels(found), campaign)
    await _check_suppressed(found, channel, recipient.address(channel))
    receipt = await _send(found, campaign, channel, recipient)
    answer = f"; it answered: {receipt.reference}" if receipt.reference else ""
    click.echo(f"{channel}: accepted by {_provider(found, channel)}{answer}")
    return OK


def _target(email: str | None, phone: str | None, webhook: str | None) -> tuple[ChannelName, str]:
    """Return the channel and the address; raises UsageError unless there is exactly one."""
    named = {ChannelName.EMAIL: email, ChannelName.SMS: phone, ChannelName.WEBHOOK: webhook}
    wanted = [(channel, address) for channel, address in named.items() if address is not None]
    if len(wanted) != 1:
        msg = "Say where to: --email ADDRESS, --phone NUMBER or --webhook ID, one of them."
        raise click.UsageError(msg)
    return wanted[0]


def _read(path: Path) -> Campaign:
    definition = CampaignDefinition.from_file(path)
    if definition.campaign is None:
        for problem in definition.problems:
            say(str(problem))
        msg = f"{path.name} cannot be used: nothing was sent."
        raise InputError(msg)
    return definition.campaign


def _with_only(campaign: Campaign, channel: ChannelName) -> Campaign:
    """Return the campaign as if it had no other channel; InputError if it does not have it."""
    if channel not in campaign.delivery.channels:
        msg = (
            f'Campaign "{campaign.id}" does not use {channel}: delivery.channels names '
            f"{', '.join(campaign.delivery.channels)}."
        )
        raise InputError(msg)
    delivery = campaign.delivery.model_copy(update={"channels": (channel,)})
    return campaign.model_copy(update={"delivery": delivery})


def _recipient(
    campaign: Campaign, channel: ChannelName, address: str, given: dict[str, str]
) -> Recipient:
    """Return a recipient at *address*; a variable that is not given has its name for a value."""
    field = ADDRESS_FIELD[channel]
    needed = {name: name for name in needed_columns(campaign)} | {"email": "", "phone": ""}
    recipient, faults = recipient_of({**needed, **_SAMPLE, **given, field: address})
    if not faults and not recipient.address(channel):
        faults.append(Fault(field, "is empty"))
    if faults:
        # None of them quotes the value.
        msg = "; ".join(f"{fault.field}: {fault.message}" for fault in faults) + "."
        raise InputError(msg)
    return recipient


async def _check_suppressed(found: Settings, channel: ChannelName, address: str) -> None:
    """Raise InputError if nobody may write to *address*, as far as that can be known here."""
    if found.redis.url is None and not found.state_dir.exists():
        return
    try:
        async with open_app(found) as app:
            [reason] = await app.suppressions.reasons([(channel, address)])
    except FormatError:
        raise
    except (ClaimcastError, ConfigError, *STORE_ERRORS) as error:
        say(f"Warning: the suppression list was not looked at: {explain_error(error)[0]}")
        return
    if reason is not None:
        msg = (
            f"The address is on the suppression list ({reason}): nothing was sent. "
            "`claimcast suppress remove` takes it off."
        )
        raise InputError(msg)


async def _send(
    found: Settings, campaign: Campaign, channel: ChannelName, recipient: Recipient
) -> Receipt:
    async with open_channels(found) as channels:
        message = _message(channels[channel].composer(campaign), recipient)
        try:
            return await channels[channel].send(message, lambda: None)
        except DeliveryError as error:
            raise _failure(found, channel, error) from None


def _message(composer: Composer, recipient: Recipient) -> Message:
    # A key of its own: a recipient's would be taken for known by the app, and by mail programs.
    key = DeliveryKey(str(uuid4()))
    try:
        return composer.compose(
            recipient, EXAMPLE_LINK, key, sent_at=time.time(), returns=ReturnPaths()
        )
    except PermanentError as error:
        msg = f"The message cannot be made: {error.detail}."
        raise InputError(msg) from None


def _failure(found: Settings, channel: ChannelName, error: DeliveryError) -> ClaimcastError:
    provider = _provider(found, channel)
    match error:
        case PermanentError():
            return InputError(f"{provider} refuses the message ({error}): it was not sent.")
        case BlockedError(fatal=True):
            return InputError(f"{provider} refuses us ({error}): correct the settings.")
        case UncertainError():
            return UnavailableError(f"{provider} may have taken it, its answer is lost ({error}).")
        case _:
            return UnavailableError(f"{provider} does not take it now ({error}): try again.")


def _provider(found: Settings, channel: ChannelName) -> str:
    """Return where a channel hands its messages to, without what might be secret in a URL."""
    if channel is ChannelName.EMAIL and found.smtp is not None:
        return f"{found.smtp.host}:{found.smtp.port}"
    if channel is ChannelName.SMS and found.twilio is not None:
        return urlsplit(found.twilio.base_url).netloc
    webhook = found.webhook
    return (urlsplit(webhook.url).hostname if webhook else None) or "the provider"
