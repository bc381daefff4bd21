"""What `status --watch` shows: a terminal that is drawn anew, or a line for every change."""

import shutil
import sys
from collections.abc import Sequence
from typing import Protocol

import click

from pipeline.domain.clock import iso
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import campaign_state
from worker.cli.progress.campaign_view import counts

# ECMA-48: to the start of a line above, erase to the end of the screen; and DEC's private mode
# that lets the terminal begin new lines by itself, which would be lines nobody counts.
_ABOVE, _ERASE = "\x1b[{}F", "\x1b[J"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


class WatchView(Protocol):
    def show(
        self, lines: Sequence[str], snapshots: Sequence[CampaignSnapshot], *, final: bool
    ) -> None:
        """Show the *lines* on the *snapshots*; called once more at the end, with all *final*."""
        ...


def watch_view() -> WatchView:
    """Return what fits standard output."""
    return _Screen() if sys.stdout.isatty() else _Changes()


class _Screen:
    """Draws over what it drew before, as far as that fits."""

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, lines: Sequence[str], _: Sequence[CampaignSnapshot], *, final: bool) -> None:
        fitting = shutil.get_terminal_size().lines - 1
        above = _ABOVE.format(self._drawn) if self._drawn else ""
        drawn = lines if final else lines[:fitting]
        self._drawn = len(drawn)
        click.echo("\n".join([above + _ERASE + _NO_WRAP + drawn[0], *drawn[1:]]) + _WRAP)


class _Changes:
    """Prints a line, with the server's time, for each campaign that is not as it was."""

    def __init__(self) -> None:
        self._before: dict[str, str] = {}

    def show(
        self, _: Sequence[str], snapshots: Sequence[CampaignSnapshot], *, final: bool
    ) -> None:
        for snapshot in snapshots:
            line = _line(snapshot)
            if self._before.get(snapshot.serial) != line:
                self._before[snapshot.serial] = line
                click.echo(f"{iso(snapshot.now_ms)} {line}")
        if final and not snapshots:
            click.echo("No campaigns.")


def _line(snapshot: CampaignSnapshot) -> str:
    state, reason = campaign_state(snapshot)
    why = f" ({reason})" if reason else ""
    return (
        f"{snapshot.campaign_id} {state.value}{why}: {counts(snapshot.people())};"
        f" deliveries: {counts(snapshot.deliveries())}"
    )
