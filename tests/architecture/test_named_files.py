"""A file that a comment, a docstring or the header of a script names is there."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.root import ROOT

_FOLDERS = ("pipeline", "worker", "channels", "config", "sandbox", "bench", "tests")
_FILES = ("Makefile", "Dockerfile", "docker-compose.yml", ".env.example", "pyproject.toml")
_NAME = re.compile(r"(?<![\w./-])[\w/-]+\.(?:md|py|lua)\b")
_THERE = [
    f"/{path.relative_to(ROOT).as_posix()}"
    for top in ROOT.iterdir()
    if not top.name.startswith(".")
    for path in (top.rglob("*") if top.is_dir() else [top])
    if path.suffix in {".md", ".py", ".lua"}
]


def test_every_file_that_is_named_is_there() -> None:
    assert list(missing()) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see pump.lua, and `store/keys.py`.", ["pump.lua", "store/keys.py"]),
        ("(design.md, stages)", ["design.md"]),
        ("the package pipeline.store.lua, main.python and *.py", []),
    ],
)
def test_a_name_is_seen_in_a_sentence(text: str, names: list[str]) -> None:
    assert _NAME.findall(text) == names


def test_comments_and_docstrings_are_read_and_nothing_else() -> None:
    python = '"""a.py"""\nX = "b.py"  # c.py\n"""d.py"""\n\n\ndef f():\n    """e.py"""\n'
    assert _NAME.findall("\n".join(said_in_python(python))) == ["c.py", "a.py", "d.py", "e.py"]
    assert _NAME.findall("\n".join(said_in_lua("-- a.lua\nlocal b = 'b.lua' -- c.lua\n"))) == [
        "a.lua",
        "c.lua",
    ]
    settings = "A=b.py # c.py\n# d.py\nurl = 'https://e.py#f.py'\n"
    assert _NAME.findall("\n".join(said_in_settings(settings))) == ["c.py", "d.py"]


def missing() -> Iterator[str]:
    """Yield the files that are named and not there, with who names them."""
    for path in _speakers():
        for name in _named_in(path):
            if not any(there.endswith(f"/{name}") for there in _THERE):
                yield f"{path.relative_to(ROOT).as_posix()} names {name}"


def _speakers() -> Iterator[Path]:
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".lua"}:
                yield path
    yield from (ROOT / name for name in _FILES)


def _named_in(path: Path) -> Iterator[str]:
    said = _SAID.get(path.suffix, said_in_settings)
    for text in said(path.read_text("utf-8")):
        yield from _NAME.findall(text)


def said_in_python(source: str) -> Iterator[str]:
    """Yield every comment, and every text that stands by itself: docstrings, also of values."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def said_in_lua(source: str) -> Iterator[str]:
    yield from re.findall(r"--[^\n]*", source)


def said_in_settings(source: str) -> Iterator[str]:
    """Yield the comments of a file whose comments begin with `#`, after other text as well."""
    yield from re.findall(r"(?:^|\s)#[^\n]*", source)


_SAID = {".py": said_in_python, ".lua": said_in_lua}
