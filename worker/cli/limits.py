"""The command `limits`: the fleet's rates, shown and changed at run time."""

from difflib import get_close_matches

import click
from rich.console import Console
from rich.table import Table

from pipeline.audit import Action
from pipeline.errors import InputError
from pipeline.rate import Rate
from worker.app import App, open_app
from worker.cli.actor import actor, actor_option
from worker.cli.entry import OK, command, say, settings


@click.group(invoke_without_command=True)
@click.pass_context
def limits(context: click.Context) -> None:
    """Show the rate limits; `set` and `unset` change them at once, for every worker."""
    if context.invoked_subcommand is None:
        _show()


@limits.command("set")
@click.argument("name")
@click.argument("rate")
@actor_option
@command
async def set_limit(name: str, rate: str) -> int:
    """Set limiter NAME to RATE, such as 50/s, 300/m or unlimited; wins over the environment."""
    wanted = _parsed(rate)
    async with open_app(settings()) as app:
        await _known(app, name)
        await app.audit.add(Action.LIMITS, actor=actor(), name=name, rate=str(wanted))
        await app.limiter.set_rate(name, wanted)
    say(f"{name} is limited to {wanted} from now on; `claimcast limits unset {name}` undoes it.")
    return OK


@limits.command("unset")
@click.argument("name")
@actor_option
@command
async def unset_limit(name: str) -> int:
    """Let the environment say again what limiter NAME is."""
    async with open_app(settings()) as app:
        await _known(app, name)
        await app.audit.add(Action.LIMITS, actor=actor(), name=name, rate="unset")
        was_set = await app.limiter.unset_rate(name)
        rate, _ = (await app.limiter.rates())[name]
    again = "again " if was_set else ""
    say(f"{name} is {again}limited to {rate}, as the environment says.")
    return OK


@command
async def _show() -> int:
    async with open_app(settings()) as app:
        rates = await app.limiter.rates()
    table = Table(box=None, pad_edge=False)
    for column in ("limit", "rate", "from"):
        table.add_column(column, no_wrap=True)
    for name, (rate, at_run_time) in rates.items():
        origin = "limits set" if at_run_time else f"CLAIMCAST_LIMITS__{name.upper()} or default"
        table.add_row(name, str(rate), origin)
    Console().print(table)
    return OK


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
