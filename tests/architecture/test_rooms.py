"""The document of the rooms is true, and no room becomes a drawer."""

import re
from pathlib import Path

import pytest

from tests.architecture.rooms import DOCUMENT, PACKAGES, houses, modules_in, renewed
from tests.support.root import ROOT

_MOST = 16  # what somebody takes in at a glance is about fifteen
_MOST_TESTS = 18
_FOLDERS = sorted(
    init.parent for top in (*PACKAGES, "tests") for init in (ROOT / top).rglob("__init__.py")
)


def test_the_document_has_the_rooms_and_arrows_of_today() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert renewed(document) == document, "run `python -m tests.architecture.rooms`"


def test_what_the_document_points_at_is_there() -> None:
    document = DOCUMENT.read_text("utf-8")
    named = re.findall(r"`((?:pipeline|channels|worker|docs)/[\w./]+)`", document)
    assert named
    assert [name for name in named if not _is_there(ROOT / name)] == []


def _is_there(path: Path) -> bool:
    return path.exists() or path.with_suffix(".py").exists()


def test_every_package_has_an_order() -> None:
    assert set(PACKAGES) - {"config"} <= set(houses())  # which is one flat leaf


@pytest.mark.parametrize("folder", _FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_room_can_be_taken_in_at_a_glance(folder: Path) -> None:
    most = _MOST_TESTS if folder.is_relative_to(ROOT / "tests") else _MOST
    assert modules_in(folder) <= most, "a folder of its own for what belongs together"


@pytest.mark.parametrize(
    "folder",
    [folder for folder in _FOLDERS if not folder.is_relative_to(ROOT / "tests")],
    ids=lambda folder: str(folder.relative_to(ROOT)),
)
def test_a_room_says_what_it_holds(folder: Path) -> None:
    assert (folder / "__init__.py").read_text("utf-8").startswith('"""')
