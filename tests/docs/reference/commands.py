"""Every command as a page of reference, from what click knows: usage, words, options."""

from collections.abc import Iterator
from textwrap import fill

import click

from worker.cli import main


def commands() -> str:
    """Return a section per kind of work, as in `claimcast --help`, and in it every command."""
    context = click.Context(main, info_name="claimcast")
    parts: list[str] = []
    for section in main.sections:
        parts.append(f"## {section.title}")
        for name in section.commands:
            command = main.get_command(context, name)
            assert command is not None
            parts += _command(command, click.Context(command, context, info_name=name))
    return "\n\n".join(parts)


def summary() -> str:
    """Return a table of all commands with their summaries, in the same order."""
    rows = ["| command | what it does |", "|---|---|"]
    rows += [
        f"| [`claimcast {name}`](#claimcast-{name}) | {command.short_help} |"
        for section in main.sections
        for name, command in section.commands.items()
    ]
    return "\n".join(rows)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"### {context.command_path}"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    yield from _paragraphs(command.help or "")
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        yield _table(options, context)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _command(below, click.Context(below, context, info_name=name))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b\n"):  # how click is told to leave the lines as they are
            yield paragraph.removeprefix("\b\n")
        else:
            yield fill(" ".join(paragraph.split()), 120, break_on_hyphens=False)


def _table(options: list[click.Option], context: click.Context) -> str:
    rows = ["| option | meaning | default |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f" {_value(option, context)}"
        meaning = (option.help or "").replace("|", "\\|")
        rows.append(f"| {names}{value} | {meaning} | {_default(option)} |")
    return "\n".join(rows)


def _value(option: click.Option, context: click.Context) -> str:
    """Return how the value of an option is written: a name, the choices, or the range."""
    kind = option.type
    if isinstance(kind, click.Choice):
        return " or ".join(f"`{choice}`" for choice in kind.choices)
    if isinstance(kind, click.IntRange | click.FloatRange) and option.metavar is None:
        below = f"below {kind.max}" if kind.max_open else f"to {kind.max}"
        return f"N, from {kind.min}" + (f" {below}" if kind.max is not None else "")
    return f"`{option.make_metavar(context).lstrip('_')}`"


def _default(option: click.Option) -> str:
    return f"`{option.default}`" if option.show_default else ""
