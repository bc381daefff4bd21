"""What rests in Redis is named in one place: no key is put together anywhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store import keys
from tests.support.root import ROOT

_SOURCES = sorted(
    path
    for top in ("pipeline", "worker", "channels", "config")
    for path in (ROOT / top).rglob("*.py")
    if path != ROOT / "pipeline/store/keys.py"
)
_BEGINNINGS = ("cc:", "claimcast:worker")
_BUILDERS = {name for name in vars(keys) if name.endswith(("_key", "_keys"))}


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_key_is_written_down_outside_the_list_of_keys(path: Path) -> None:
    found = [text for text in _texts(path) if text.startswith(_BEGINNINGS)]
    assert found == [], "name it in pipeline/store/keys.py"
    assert list(_prolonged(path)) == [], "give it a function in pipeline/store/keys.py"


def _texts(path: Path) -> Iterator[str]:
    """Yield every piece of text in a module that is no docstring, also of f-strings and bytes."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            if isinstance(node.value, str):
                yield node.value
            elif isinstance(node.value, bytes):
                yield node.value.decode("latin-1")


def _prolonged(path: Path) -> Iterator[str]:
    """Yield what puts text before or behind a key that a function has built."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr | ast.BinOp):
            calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
            if any(ast.unparse(call).rpartition(".")[2] in _BUILDERS for call in calls):
                yield ast.unparse(node)
