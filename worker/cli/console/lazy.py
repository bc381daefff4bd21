"""Commands that are imported when they are called: each waits only for what it needs itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from worker.interrupt import INTERRUPTED, UNBEGUN, begin


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command not imported yet: *place* is `module:attribute` in worker.cli.commands."""

    place: str
    short_help: str

    def load(self) -> click.Command:
        module, _, attribute = self.place.partition(":")
        command: click.Command = getattr(import_module(f"worker.cli.commands.{module}"), attribute)
        command.short_help = self.short_help
        return command


class CommandGroup(click.Group):
    """
    All commands, loaded as click's "Lazily Loading Subcommands" does; its help loads none.

    Ctrl-C before a command has begun is a line and not a traceback.
    """

    def __init__(self, *, lazy_subcommands: Mapping[str, LazyCommand], **kwargs: Any) -> None:  # noqa: ANN401 - click
        super().__init__(**kwargs)
        self.lazy_subcommands = lazy_subcommands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(self.lazy_subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        found = self.lazy_subcommands.get(cmd_name)
        return found.load() if found else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, self.lazy_subcommands[name].short_help)
                    for name in self.list_commands(ctx)
                ]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            found = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click looks for the nearest among loaded ones only
            raise click.NoSuchCommand(
                error.command_name, possibilities=self.lazy_subcommands, ctx=ctx
            ) from None
        begin()
        return found

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(UNBEGUN, err=True)
            ctx.exit(INTERRUPTED)
