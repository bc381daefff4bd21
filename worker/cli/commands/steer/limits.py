"""The command `limits`: the fleet's rates, shown and changed at run time."""

from difflib import get_close_matches

import click

from pipeline.domain.errors import InputError
from pipeline.domain.rate import Rate
from pipeline.store.audit_trail import AuditAction
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.entry import OK, command, say
from worker.cli.console.session import open_session
from worker.cli.console.synonyms import HelpfulGroup, synonyms
from worker.cli.console.tables import columns
from worker.wiring.ledger import App

_SYNONYMS = synonyms(
    {
        ("set",): "add change edit update",
        ("unset",): "rm remove del delete reset clear default",
        ("claimcast limits",): "show list ls get status",
    }
)


@click.group(cls=HelpfulGroup, synonyms=_SYNONYMS, invoke_without_command=True)
@click.pass_context
def limits(context: click.Context) -> None:
    """Show the rate limits; `set` and `unset` change them at once for every worker."""
    if context.invoked_subcommand is None:
        _show()


@limits.command("set", short_help="Set a limit, which wins over the environment.")
@click.argument("name")
@click.argument("rate")
@actor_option
@command
async def set_limit(name: str, rate: str) -> int:
    """Set limiter NAME to RATE, such as 50/s, 300/m or unlimited; wins over the environment."""
    wanted = _parsed(rate)
    async with open_session() as app:
        await _known(app, name)
        await app.audit.add(AuditAction.LIMITS, actor=actor(), name=name, rate=str(wanted))
        await app.limiter.set_rate(name, wanted)
    say(f"{name} is limited to {wanted} from now on; `claimcast limits unset {name}` undoes it.")
    return OK


@limits.command("unset", short_help="Let the environment say again what it is.")
@click.argument("name")
@actor_option
@command
async def unset_limit(name: str) -> int:
    """Let the environment say again what limiter NAME is."""
    async with open_session() as app:
        await _known(app, name)
        await app.audit.add(AuditAction.LIMITS, actor=actor(), name=name, rate="unset")
        was_set = await app.limiter.unset_rate(name)
        rate, _ = (await app.limiter.rates())[name]
    again = "again " if was_set else ""
    say(f"{name} is {again}limited to {rate}, as the environment says.")
    return OK


@command
async def _show() -> int:
    async with open_session() as app:
        rates = await app.limiter.rates()
    rows = [
        (name, str(rate), "limits set" if at_run_time else _environment(name))
        for name, (rate, at_run_time) in rates.items()
    ]
    click.echo("\n".join(columns(("limit", "rate", "from"), rows)))
    return OK


def _environment(name: str) -> str:
    return f"CLAIMCAST_LIMITS__{name.upper()} or default"


def _parsed(text: str) -> Rate:
    try:
        return Rate.parse(text)
    except ValueError as error:
        msg = f"{error}."
        raise InputError(msg) from error


async def _known(app: App, name: str) -> None:
    """Raise InputError, naming the nearest, unless there is a limiter of this name."""
    names = list(await app.limiter.rates())
    if name not in names:
        nearest = get_close_matches(name, names, n=1)
        hint = f'did you mean "{nearest[0]}"?' if nearest else f"there are {', '.join(names)}."
        msg = f'There is no limit "{name}"; {hint}'
        raise InputError(msg)
