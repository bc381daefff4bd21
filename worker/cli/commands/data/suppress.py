"""The command `suppress`: addresses that nobody may write to any more."""

from pathlib import Path

import click

from config.redaction import mask_secrets
from pipeline.domain.errors import InputError
from pipeline.domain.models import ChannelName
from pipeline.intake.files.lines import UnreadableError
from pipeline.store.audit_trail import AuditAction
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.addresses import FROM_INPUT, AddressType
from worker.cli.console.campaigns import times
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say
from worker.cli.console.session import open_session
from worker.cli.console.synonyms import HelpfulGroup, synonyms
from worker.cli.console.tables import columns
from worker.cli.intake.address_file import AddressFile, normal_address
from worker.wiring.ledger import App

_OPERATOR = "operator"
_LONGEST_REASON = 100
_AT_ONCE = 1000
_MOST_SHOWN = 20
_SYNONYMS = synonyms(
    {
        ("add",): "block create new set",
        ("remove",): "rm del delete unblock allow unset",
        ("list",): "ls show status count check find search",
        ("import",): "load upload file",
    }
)

_email = click.option("--email", type=AddressType(), help=f"An e-mail address; {FROM_INPUT}")
_phone = click.option(
    "--phone", type=AddressType("NUMBER"), help=f"In E.164, such as +14155552671; {FROM_INPUT}"
)
_reason = click.option(
    "--reason", default=_OPERATOR, show_default=True, help="Why, for people; not an address."
)


@click.group(cls=HelpfulGroup, synonyms=_SYNONYMS)
def suppress() -> None:
    """Keep the suppression list: no campaign writes to an address on it any more."""


@suppress.command()
@_email
@_phone
@_reason
@actor_option
@command
async def add(*, email: str | None, phone: str | None, reason: str) -> int:
    """Add an address to the list: nobody may write to it any more."""
    channel, address = _address(email, phone)
    words = _checked(reason)
    async with open_session() as app:
        await _record(app, "add", channel, reason=words)
        if await app.suppressions.add(channel, address, words):
            say("The address is on the list from now on.")
        else:
            [first] = await app.suppressions.reasons([(channel, address)])
            say(f"The address was on the list already ({first}).")
    return OK


@suppress.command(short_help="Remove an address from the list.")
@_email
@_phone
@actor_option
@command
async def remove(*, email: str | None, phone: str | None) -> int:
    """Remove an address from the list, for example because its owner asks for it."""
    channel, address = _address(email, phone)
    async with open_session() as app:
        await _record(app, "remove", channel)
        removed = await app.suppressions.remove(channel, address)
    say("The address is off the list." if removed else "The address was not on the list.")
    if removed and channel is ChannelName.SMS:
        say("If the person sent STOP, Twilio goes on refusing until they send START.")
    return OK


@suppress.command("list", short_help="List how many there are by reason, or look for one.")
@click.option(
    "--check",
    type=AddressType(),
    help=f"Say whether this one is on it, and why; {FROM_INPUT}",
)
@command
async def show(*, check: str | None) -> int:
    """Count the addresses by reason; the list keeps digests, so it cannot show them."""
    wanted = None if check is None else _either(check)
    async with open_session() as app:
        if wanted is None:
            _print(await app.suppressions.count())
        else:
            [reason] = await app.suppressions.reasons([wanted])
            click.echo("not suppressed" if reason is None else f"suppressed: {reason}")
    return OK


@suppress.command("import", short_help="Import every address of a file.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--channel", type=click.Choice(["email", "sms"]), required=True)
@_reason
@actor_option
@command
async def import_file(*, file: Path, channel: str, reason: str) -> int:
    """Import every address of FILE: one a line, or CSV with a column email or phone."""
    words, name = _checked(reason), ChannelName(channel)
    try:
        with file.open("rb") as stream:
            source = AddressFile(stream, name)
            async with open_session() as app:
                await _record(app, "import", name, reason=words)
                added, already_there = await _add_file(app, source, words)
    except UnreadableError as error:
        where = f"{file.name}, line {error.line}" if error.line else file.name
        msg = f"{where}: {error}."
        raise InputError(msg) from error
    say(f"{times(added, 'address', 'addresses')} added; {already_there:,} on the list before.")
    return _faults(source)


async def _record(app: App, change: str, channel: ChannelName, **details: str) -> None:
    """Write the change into the audit trail, without the address."""
    await app.audit.add(
        AuditAction.SUPPRESS, actor=actor(), change=change, channel=str(channel), **details
    )


async def _add_file(app: App, source: AddressFile, reason: str) -> tuple[int, int]:
    """Return how many addresses were added, and how many were there already."""
    added = total = 0
    for lines in source.chunks(_AT_ONCE):
        addresses = (line.address for line in lines)
        added += await app.suppressions.add_all(source.channel, addresses, reason)
        total += len(lines)
    return added, total - added


def _faults(source: AddressFile) -> int:
    if not source.fault_count:
        return OK
    for line, fault in source.faults[:_MOST_SHOWN]:
        say(f"  line {line:,} {fault}")
    say(f"{times(source.fault_count, 'line')} could not be used; all others are on the list.")
    return NOT_ALL_REACHED


def _print(counts: dict[str, int]) -> None:
    rows = [(reason, f"{number:,}") for reason, number in sorted(counts.items())]
    rows.append(("all", f"{sum(counts.values()):,}"))
    click.echo("\n".join(columns(("reason", "addresses"), rows, right=[1])))


def _address(email: str | None, phone: str | None) -> tuple[ChannelName, str]:
    """Return channel and address in the form in which messages are sent; raises InputError."""
    if (email is None) == (phone is None):
        msg = "Give either --email ADDRESS or --phone NUMBER."
        raise InputError(msg)
    if email is not None:
        return ChannelName.EMAIL, _normal(ChannelName.EMAIL, email, "--email")
    return ChannelName.SMS, _normal(ChannelName.SMS, phone or "", "--phone")


def _either(text: str) -> tuple[ChannelName, str]:
    channel = ChannelName.EMAIL if "@" in text else ChannelName.SMS
    return channel, _normal(channel, text, "--check")


def _normal(channel: ChannelName, text: str, option: str) -> str:
    try:
        return normal_address(channel, text.strip())
    except ValueError as error:
        msg = f"{option} {error}."
        raise InputError(msg) from error


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        msg = f"--reason must be one line of at most {_LONGEST_REASON} characters."
        raise InputError(msg)
    if mask_secrets(reason) != reason:
        msg = "--reason must not hold an address, a number or a link: it is stored in clear."
        raise InputError(msg)
    return reason
