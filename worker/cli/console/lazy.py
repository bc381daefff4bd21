"""Commands that are imported when they are called: each waits only for what it needs itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from worker.cli.console.synonyms import COMMANDS, HelpfulGroup
from worker.interrupt import INTERRUPTED, UNBEGUN, begin


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command not imported yet: *target* is `module:attribute` in worker.cli.commands."""

    target: str
    short_help: str

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(import_module(f"worker.cli.commands.{module}"), attribute)
        command.short_help = self.short_help
        return command


@dataclass(frozen=True, slots=True)
class CommandSection:
    """Commands of one kind, by name, in the order in which they are used."""

    title: str
    commands: Mapping[str, LazyCommand]


class CommandGroup(HelpfulGroup):
    """
    All commands, loaded as click's "Lazily Loading Subcommands" does; its help loads none.

    Ctrl-C before a command has begun is a line and not a traceback.
    """

    def __init__(self, *, sections: Sequence[CommandSection], **kwargs: Any) -> None:  # noqa: ANN401 - click
        super().__init__(synonyms=COMMANDS, **kwargs)
        self.sections = sections
        self.lazy_subcommands = {
            name: command for section in sections for name, command in section.commands.items()
        }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.lazy_subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        found = self.lazy_subcommands.get(cmd_name)
        return found.load() if found else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        width = max(map(len, self.lazy_subcommands))  # summaries stand below each other
        for section in self.sections:
            with formatter.section(section.title):
                formatter.write_dl(
                    [(name.ljust(width), one.short_help) for name, one in section.commands.items()]
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
