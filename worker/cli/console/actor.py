"""Who does what is written to the audit trail: the system user, or whom `--actor` names."""

import getpass
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

_KEY = "claimcast.actor"
_LONGEST = 64


def actor_option(function: C) -> C:
    """Give a command the option `--actor`; `actor()` returns its value."""
    return click.option(
        "--actor",
        metavar="NAME",
        expose_value=False,
        callback=_remember,
        help="Who does this, for the audit trail; default: the system user.",
    )(function)


def actor() -> str:
    """Return the name in `--actor` of the current command, or the system user's."""
    named: str | None = click.get_current_context().meta.get(_KEY)
    return named or _system_user()


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    name = value.strip()
    if not name or len(name) > _LONGEST or not name.isprintable():
        msg = f"must be one line of at most {_LONGEST} characters."
        raise click.BadParameter(msg)
    context.meta[_KEY] = name


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return f"uid {os.getuid()}"
