"""The command `rekey`: everything sealed goes under the first of CLAIMCAST_SECRET_KEYS."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.domain.errors import InputError
from pipeline.operations.rotate_keys import KeyRotation, KeyUsage
from pipeline.store.audit_trail import AuditAction
from pipeline.store.fleet.keyring import Keyring, Process
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import times
from worker.cli.console.entry import NOT_ALL_REACHED, OK, command, say
from worker.cli.console.session import open_session
from worker.cli.console.tables import columns
from worker.wiring.ledger import App

_PASSES = 3  # what was renamed or written during one is found by the next
_RESTART = "restart the workers, `serve` and running commands with the same CLAIMCAST_SECRET_KEYS"


@click.command()
@click.option("--check", is_flag=True, help="Only count what needs which key; change nothing.")
@actor_option
@command
async def rekey(*, check: bool) -> int:
    """
    Rotate the encryption keys, also while campaigns run.

    Everything is re-encrypted under the first of CLAIMCAST_SECRET_KEYS.

    1. Set CLAIMCAST_SECRET_KEYS=NEW,OLD everywhere and restart. 2. Run this. 3. When it has said
    that nothing needs the old key, drop it and restart. It may be stopped and run again; the exit
    code is 1 as long as something needs another key than the first.
    """
    async with open_session(keys="change") as app:
        work = KeyRotation(app.blobs, app.vault)
        usage = await work.look()
        if usage.unreadable:
            await app.keyring.require_all_keys()
        if check:
            _print(app, usage)
            return await _checked(app.keyring, usage, app.vault.fingerprints[0])
        living = await _living(app)
        await app.keyring.enroll()  # from here on something is sealed with our first key
        for _ in range(_PASSES):
            if usage.others:
                await _reseal(app, work, usage)
                usage = await work.look()
        _print(app, usage)
        code = await _concluded(app.keyring, usage, living)
        await app.keyring.leave()
        return code


async def _living(app: App) -> list[Process]:
    """Return the processes that seal with another key; InputError if one lacks our first."""
    first = app.vault.fingerprints[0]
    if await app.keyring.others():
        say("Looking whether processes still run with other keys (a few seconds) ...")
    living = await app.keyring.living()
    if any(first not in process.fingerprints for process in living):
        msg = (
            f"A process that runs now does not have the new key {first}, so it could not read "
            f"what is re-encrypted: {_RESTART}, then run this again. Nothing was changed."
        )
        raise InputError(msg)
    return living


async def _reseal(app: App, work: KeyRotation, usage: KeyUsage) -> None:
    first, *others = app.vault.fingerprints
    await app.audit.add(
        AuditAction.REKEY,
        actor=actor(),
        key=first,
        replaces=",".join(others),
        blobs=usage.others,
    )
    with _progress(usage.others) as shown:
        replaced = await work.reseal(shown)
    say(f"{times(replaced, 'blob')} re-encrypted under the key {first}.")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("re-encrypt"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=total)
        yield lambda done: bars.advance(task, done)


async def _concluded(keyring: Keyring, usage: KeyUsage, living: Sequence[Process]) -> int:
    """Say what is left to do; the rings of dead processes go once nothing needs their keys."""
    if usage.others:
        say(f"{_left(usage)}, written meanwhile: {_RESTART} and run this again.")
    elif living:
        say(f"Something still runs that seals with another key: {_RESTART} and run this again.")
    elif not usage.unreadable:
        await keyring.retire()
        say("Nothing needs the other keys: drop them from CLAIMCAST_SECRET_KEYS and restart.")
        return OK
    _say_unreadable(usage)
    return NOT_ALL_REACHED


async def _checked(keyring: Keyring, usage: KeyUsage, first: str) -> int:
    others = await keyring.others()
    if usage.others:
        say(f"{_left(usage)}: run `claimcast rekey`.")
    elif others:
        say(
            f"Something ran {others[0].age:.0f} s ago that seals with the key {others[0].seals}: "
            f"{_RESTART}."
        )
    elif await keyring.sealed_with() != {first}:
        say("Nothing needs the other keys; `claimcast rekey` lets them be dropped.")
    elif not usage.unreadable:
        say("Nothing needs another key than the first.")
        return OK
    _say_unreadable(usage)
    return NOT_ALL_REACHED


def _left(usage: KeyUsage) -> str:
    verb = "needs" if usage.others == 1 else "need"
    return f"{times(usage.others, 'blob')} {verb} another key than the first"


def _say_unreadable(usage: KeyUsage) -> None:
    if usage.unreadable:
        say(
            f"{times(usage.unreadable, 'blob')} cannot be opened with any of the keys: put the "
            "missing key behind the others; `claimcast verify CAMPAIGN` names what is damaged."
        )


def _print(app: App, usage: KeyUsage) -> None:
    rows = [
        (str(position + 1), fingerprint, f"{usage.by_key[position]:,}")
        for position, fingerprint in enumerate(app.vault.fingerprints)
    ]
    if usage.unreadable:
        rows.append(("none", "", f"{usage.unreadable:,}"))
    click.echo("\n".join(columns(("key", "fingerprint", "blobs"), rows, right=[2])))
