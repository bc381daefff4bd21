"""The sandbox's command line: a click command, to be run alone or as part of another program."""

import errno
import json
import sqlite3
import ssl
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from pydantic import ValidationError

from sandbox.control.listing import listing
from sandbox.faults import Faults, MailFaults, SmsFaults, Switches, refusal
from sandbox.options import LinkShape, MailOptions, SandboxOptions, SmsOptions
from sandbox.outgoing import is_loopback
from sandbox.server import serve

S = TypeVar("S", bound=Switches)

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        msg = f'"{text}" is not an amount such as 100.00'
        raise click.BadParameter(msg)
    return amount


def _local(url: str) -> str:
    if not is_loopback(url):
        msg = f'"{url}" is not a URL of this machine such as http://127.0.0.1:8000/path'
        raise click.BadParameter(msg)
    return url


def _list_faults(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if wanted and not context.resilient_parsing:
        click.echo(listing())
        context.exit()


@click.command("sandbox")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=".sandbox",
    show_default=True,
    help="Where the account and the mails are kept.",
)
@click.option("--api-port", type=_PORT, default=0, help="0, the default, takes a free one.")
@click.option("--smtp-port", type=_PORT, default=0, help="0, the default, takes a free one.")
@click.option("--ready-file", type=_FILE, help="Gets the addresses as JSON, once all is ready.")
@click.option("--seed", type=int, default=1, show_default=True, help="The dice behind the faults.")
@click.option("--funds", type=_amount, help="What a new account holds; default: no limit.")
@click.option(
    "--async-above",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Orders of more links are Pending first.",
)
@click.option(
    "--async-delay",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds until they complete.",
)
@click.option(
    "--token-lifetime",
    type=click.IntRange(min=1),
    default=3600,
    show_default=True,
    help="Seconds.",
)
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, help="Seconds per answer.")
@click.option(
    "--link-shape",
    type=click.Choice(get_args(LinkShape)),
    default="links",
    show_default=True,
    help="Where an order has its links.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=VALUE",
    help="A fault of the rewards API, e.g. order_429=0.05; may be repeated.",
)
@click.option(
    "--smtp-fault",
    "smtp_faults",
    multiple=True,
    metavar="NAME=VALUE",
    help="A fault of the mail sink, e.g. data_451=0.05; may be repeated.",
)
@click.option(
    "--sms-fault",
    "sms_faults",
    multiple=True,
    metavar="NAME=VALUE",
    help="A fault of the SMS API, e.g. sms_reset_after=0.05; may be repeated.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="Show all faults, what each does, and how to change them later.",
)
@click.option(
    "--sms-sent-after",
    type=click.FloatRange(min=0),
    default=0.2,
    show_default=True,
    help="Seconds until a message is sent.",
)
@click.option(
    "--sms-delivered-after",
    type=click.FloatRange(min=0),
    default=0.3,
    show_default=True,
    help="Seconds from then until it is delivered.",
)
@click.option("--sms-inbound-url", type=_local, help="Messages from people are posted here.")
@click.option("--bounce-url", type=_local, help="Bounces of mail are posted here.")
@click.option(
    "--bounce-delay",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Seconds from a mail to its bounce.",
)
@click.option(
    "--smtp-security",
    type=click.Choice(["none", "starttls", "tls"]),
    default="none",
    show_default=True,
)
@click.option("--smtp-certificate", type=_FILE, help="PEM; needed for starttls and tls.")
@click.option("--smtp-key", type=_FILE, help="PEM; default: in the certificate's file.")
@click.option("--smtp-user", help="Clients must log in as this user.")
@click.option("--smtp-password", default="", help="That user's password.")
@click.option(
    "--keep",
    type=click.Choice(["maildir", "index"]),
    default="maildir",
    show_default=True,
    help="index: only who got which links, no messages.",
)
def command(
    *,
    ready_file: Path | None,
    faults: tuple[str, ...],
    smtp_faults: tuple[str, ...],
    sms_faults: tuple[str, ...],
    **given: Any,  # noqa: ANN401 - what click has read and checked
) -> None:
    """
    Run a rewards API, a mail sink and an SMS API on loopback, for trying things out.

    Prints one line of JSON with the addresses when ready and runs until it is stopped; what it
    kept in --dir is there again at the next start.
    """
    mail = {name: given.pop(name) for name in ("keep", "bounce_url", "bounce_delay")}
    for name in ("port", "security", "certificate", "key", "user", "password"):
        mail[name] = given.pop(f"smtp_{name}")
    if mail["security"] != "none" and mail["certificate"] is None:
        msg = f"--smtp-security {mail['security']} needs --smtp-certificate"
        raise click.UsageError(msg)
    names = ("sent_after", "delivered_after", "inbound_url")
    sms = {name: given.pop(f"sms_{name}") for name in names}
    options = SandboxOptions(
        **given,
        faults=_switched(Faults, faults),
        mail=MailOptions(**mail, faults=_switched(MailFaults, smtp_faults)),
        sms=SmsOptions(**sms, faults=_switched(SmsFaults, sms_faults)),
    )
    try:
        serve(options, ready_file=ready_file)
    except OSError as error:
        raise click.UsageError(_in_a_sentence(error)) from None
    except sqlite3.Error as error:
        msg = f"what --dir holds is not a sandbox's account ({error}): choose another folder"
        raise click.UsageError(msg) from None


def _switched(kind: type[S], settings: tuple[str, ...]) -> S:
    """Return the faults named by *settings* (NAME=VALUE each); raises BadParameter."""
    change = dict(_named_value(setting, kind.option) for setting in settings)
    try:
        return kind.model_validate(change)
    except ValidationError as error:
        raise click.BadParameter(refusal(error, kind), param_hint=kind.option) from None


def _named_value(setting: str, option: str) -> tuple[str, object]:
    name, equals, text = setting.partition("=")
    if not equals:
        msg = f'"{setting}" is not NAME=VALUE'
        raise click.BadParameter(msg, param_hint=option)
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _in_a_sentence(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "a port is taken: choose another with --api-port or --smtp-port (0: a free one)"
    if isinstance(error, ssl.SSLError):
        return "--smtp-certificate and --smtp-key are not a certificate and its key in PEM"
    return f"{error.filename or '--dir'} cannot be used: {error.strerror}"
