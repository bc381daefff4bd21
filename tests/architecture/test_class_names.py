"""A class that is searched for by its name is found once."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.architecture.rooms import PACKAGES
from tests.support.root import ROOT


def test_no_class_name_is_given_twice() -> None:
    places = defaultdict(list)
    for name, place in classes():
        places[name].append(place)

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def classes() -> Iterator[tuple[str, str]]:
    """Yield name and place of every class of the source packages, nested and private ones too."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield node.name, f"{file.relative_to(ROOT)}:{node.lineno}"
