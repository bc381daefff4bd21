"""The help says in which order commands are used, and no word that is typed leads nowhere."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.support.root import ROOT
from worker.cli import main
from worker.cli.console.synonyms import COMMANDS, HelpfulGroup, Synonyms, proposals

_COMMANDS = ROOT / "worker" / "cli" / "commands"
_HEADINGS = {
    "Prepare a campaign": "prepare",
    "Run campaigns": "run",
    "Watch campaigns": "watch",
    "Steer a campaign": "steer",
    "Repair what went wrong": "repair",
    "Look after people's data": "data",
    "Operate the installation": "operate",
}


def shown() -> dict[str, dict[str, str]]:
    """Return the commands and their summaries by heading, as the help shows them."""
    text = CliRunner().invoke(main, ["--help"]).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    parts = dict(re.findall(r"^(\S.*):\n((?:  .*\n)+)", text, re.MULTILINE))
    del parts["Options"]
    return {
        heading: dict(line.split(maxsplit=1) for line in lines.splitlines())
        for heading, lines in parts.items()
    }


def groups() -> dict[str, HelpfulGroup]:
    """Return every group of commands, by what is typed before a command of it."""
    loaded = {name: main.get_command(click.Context(main), name) for name in main.lazy_subcommands}
    within = {name: group for name, group in loaded.items() if isinstance(group, click.Group)}
    assert all(isinstance(group, HelpfulGroup) for group in within.values())
    return {"": main, **{n: g for n, g in within.items() if isinstance(g, HelpfulGroup)}}


def typed(*words: str) -> tuple[int, str]:
    """Return the exit status and the last line that people get."""
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.stderr.splitlines()[-1]


def test_headings_come_in_the_order_of_the_work() -> None:
    assert list(shown()) == list(_HEADINGS)


def test_a_command_stands_under_the_heading_of_its_folder() -> None:
    for heading, commands in shown().items():
        folders = {main.lazy_subcommands[name].target.split(".")[0] for name in commands}
        assert folders == {_HEADINGS[heading]}


def test_every_file_of_the_commands_has_one_that_is_shown() -> None:
    files = {
        path.relative_to(_COMMANDS).with_suffix("").as_posix()
        for path in _COMMANDS.rglob("*.py")
        if path.name != "__init__.py"
    }
    named = (command.target.partition(":")[0] for command in main.lazy_subcommands.values())
    assert files == {Path(*place.split(".")).as_posix() for place in named}


def test_every_command_has_one_line_that_is_a_sentence() -> None:
    commands = {name: words for part in shown().values() for name, words in part.items()}
    assert commands == {name: it.short_help for name, it in main.lazy_subcommands.items()}
    assert all(re.fullmatch(r"[A-Z].*\.", words) for words in commands.values())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["stop"], "No such command 'stop': did you mean 'pause' or 'cancel'?"),
        (["Rate-Limit"], "No such command 'Rate-Limit': did you mean 'limits'?"),
        (["test_send"], "No such command 'test_send': did you mean 'test-send'?"),
        (["start"], "No such command 'start': did you mean 'run', 'resume' or 'worker'?"),
        (["stats"], "No such command 'stats': did you mean 'status'?"),
        (["help"], "No such command 'help': did you mean '--help'?"),
        (["balance"], "No such command 'balance'."),
        (["suppress", "rm"], "No such command 'rm': did you mean 'remove'?"),
        (["limits", "rm", "email"], "No such command 'rm': did you mean 'unset'?"),
        (["limits", "list"], "No such command 'list': did you mean 'claimcast limits'?"),
    ],
)
def test_an_unknown_command_is_answered_with_what_may_be_meant(
    words: list[str], sentence: str
) -> None:
    assert typed(*words) == (2, f"Error: {sentence}")


def test_an_unknown_option_is_still_one_of_the_group() -> None:
    assert typed("--verison") == (
        2,
        "Error: No such option '--verison'. Did you mean '--version'?",
    )


@pytest.mark.parametrize("group", groups().values(), ids=groups())
def test_whatever_is_proposed_exists_and_no_command_is_a_synonym(group: HelpfulGroup) -> None:
    context = click.Context(group, info_name="claimcast")
    names = set(group.list_commands(context))
    options = {option for parameter in group.get_params(context) for option in parameter.opts}
    proposed = {one for meant in group.synonyms.values() for one in meant}

    assert len(group.synonyms) > 10
    assert proposed <= names | options | {"claimcast limits"}
    assert not set(group.synonyms) & names, "nobody would see the proposal"


def test_every_command_can_be_found_by_another_word() -> None:
    proposed = {one for meant in COMMANDS.values() for one in meant}
    alone = {"resend"}  # whatever else one would say means `retry` or `send` as well
    assert proposed >= set(main.lazy_subcommands) - alone


def test_meaning_goes_before_spelling() -> None:
    words: Synonyms = {"start": ("run",)}
    assert proposals("start", ["status", "run"], words) == ("run",)
    assert proposals("statu", ["status", "run"], words) == ["status"]
    assert proposals("xyzzy", ["status", "run"], words) == []
