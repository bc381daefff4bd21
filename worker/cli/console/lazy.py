"""Commands that are imported when they are called: each waits only for what it needs itself."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from worker.interrupt import INTERRUPTED, UNBEGUN, begin


@dataclass(frozen=True, slots=True)
class Later:
    """A command not imported yet: *place* is `module:attribute` in worker.cli.commands."""

    place: str
    short_help: str

    def load(self) -> click.Command:
        module, _, attribute = self.place.partition(":")
        command: click.Command = getattr(import_module(f"worker.cli.commands.{module}"), attribute)
        command.short_help = self.short_help
        return command


class Commands(MutableMapping[str, click.Command]):
    """Commands by name. The names alone import nothing, a look at a command imports that one."""

    def __init__(self, later: Mapping[str, Later]) -> None:
        self._later = dict(later)
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            self._loaded[name] = self._later[name].load()
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        msg = f"{name} belongs in the table of worker.cli"
        raise TypeError(msg)

    def __delitem__(self, name: str) -> None:
        msg = f"{name} stays in the table of worker.cli"
        raise TypeError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(self._later)

    def __contains__(self, name: object) -> bool:
        return name in self._later

    def __len__(self) -> int:
        return len(self._later)


class Entry(click.Group):
    """All commands; Ctrl-C before one has begun is a line and not a traceback."""

    def __init__(self, *, later: Mapping[str, Later], **kwargs: Any) -> None:  # noqa: ANN401 - click
        super().__init__(commands=Commands(later), **kwargs)
        self._later = later

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from what is known of them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self._later[name].short_help) for name in self.list_commands(ctx)]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        found = super().resolve_command(ctx, args)
        begin()
        return found

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(UNBEGUN, err=True)
            ctx.exit(INTERRUPTED)
