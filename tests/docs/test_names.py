"""Every setting, command, option and test that a document names is there."""

import re

import click
import pytest

from config.settings import Settings
from config.variables import variables
from tests.docs.documents import Document, documents
from tests.support.root import ROOT
from worker.cli import main

SETTINGS = frozenset(variable.name for variable in variables(Settings))
pages = pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.path))


@pages
def test_every_variable_that_is_named_is_a_setting(page: Document) -> None:
    named = set(re.findall(r"CLAIMCAST_[A-Z_]*[A-Z](?![A-Z_*])", page.text))
    assert named <= SETTINGS


@pages
def test_every_command_and_option_that_is_named_exists(page: Document) -> None:
    for words in page.command_lines:
        command, left = _command(words)
        named = {word.partition("=")[0] for word in left if word.startswith("-") and word != "-"}
        named = {re.sub(r"[^\w]+$", "", name) for name in named}
        assert named <= _options(command), f"claimcast {' '.join(words)}"


@pages
def test_every_test_that_is_named_exists(page: Document) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.text))
    assert named <= _tests()


def test_every_setting_is_named() -> None:
    text = "\n".join(page.text for page in documents())
    assert [name for name in SETTINGS if f"`{name}`" not in text] == []


def test_every_command_is_named() -> None:
    named = {words[0] for page in documents() for words in page.command_lines}
    assert set(main.lazy_subcommands) <= named


def test_documents_name_something() -> None:
    """The tests above would pass if nothing was found at all."""
    assert sum(len(page.command_lines) for page in documents()) > 50
    assert any("`test_" in page.text for page in documents())


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that *words* call, and the words after its name."""
    found: click.Command = main
    context = click.Context(main)
    left = list(words)
    while isinstance(found, click.Group) and left and not left[0].startswith("-"):
        if found is main and left[0] in {"COMMAND", "…"}:
            return found, left[1:]
        name = left.pop(0)
        below = found.get_command(context, name)
        assert below is not None, f"claimcast {' '.join(words)}"
        found = below
    return found, left


def _options(command: click.Command) -> set[str]:
    own = {option for parameter in command.params for option in parameter.opts}
    return {*own, "--help", "-h"}


def _tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
