"""The Lua verbs are put together from what each needs, and from nothing else."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from pipeline.store.lua.sources import IncludeError, assembled, includes, read_scripts, verbs
from tests.pipeline.store.lua.reading import defined_in, definitions, names_in
from tests.support.root import ROOT

_FOLDER = files("pipeline.store.lua")
LIBRARY = read_scripts(_FOLDER / "lib")
VERBS = read_scripts(_FOLDER / "verbs")
_PYTHON = "".join(path.read_text("utf-8") for path in (ROOT / "pipeline/store").rglob("*.py"))
_DEFINED_IN = {name: file for file, text in LIBRARY.items() for name in defined_in(text)}

library_file = pytest.mark.parametrize("file", LIBRARY)
verb = pytest.mark.parametrize("verb", VERBS)


def test_included_files_come_first_and_once() -> None:
    library = {"a": "-- @include b, c\na\n", "b": "-- @include c\nb\n", "c": "c\n", "d": "d\n"}
    text = assembled("verb", "-- @include a\n-- @include c\nverb\n", library)
    lines = [line for line in text.splitlines() if line and not line.startswith("--")]
    assert lines == ["c", "b", "a", "verb"]


def test_a_missing_file_is_named_with_the_file_that_includes_it() -> None:
    with pytest.raises(IncludeError, match=r"a\.lua includes b, which is not in lib"):
        assembled("verb", "-- @include a\n", {"a": "-- @include b\n"})


def test_a_circle_is_shown() -> None:
    library = {"a": "-- @include b\n", "b": "-- @include c\n", "c": "-- @include b\n"}
    with pytest.raises(IncludeError, match="a > b > c > b"):
        assembled("verb", "-- @include a\n", library)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.lua").write_text("")
    with pytest.raises(IncludeError, match="same"):
        read_scripts(tmp_path)


def test_every_verb_is_there_complete() -> None:
    assert set(verbs()) == set(VERBS)
    assert {"claim", "record", "permit"} < set(VERBS)
    assert all(text.endswith(VERBS[verb]) for verb, text in verbs().items())


def test_no_name_is_defined_in_two_library_files() -> None:
    assert len(_DEFINED_IN) == sum(len(defined_in(text)) for text in LIBRARY.values())


@verb
def test_no_script_is_given_anything_that_it_does_not_use(verb: str) -> None:
    script = verbs()[verb]
    bodies = {name: body for names, body in definitions(script) for name in names}
    used, looked_at = names_in(VERBS[verb]), set[str]()
    while new := used & bodies.keys() & set(_DEFINED_IN) - looked_at:
        looked_at |= new
        used |= {name for each in new for name in names_in(bodies[each]) - {each}}
    assert (bodies.keys() & set(_DEFINED_IN)) - used == set()


@verb
def test_a_verb_includes_just_what_it_uses_itself(verb: str) -> None:
    text = VERBS[verb]
    needed = {_DEFINED_IN[name] for name in names_in(text) & set(_DEFINED_IN)}
    assert sorted(needed) == sorted(includes(text))


@library_file
def test_a_library_file_includes_just_what_it_uses_itself(file: str) -> None:
    text = LIBRARY[file]
    needed = {_DEFINED_IN[name] for name in names_in(text) & set(_DEFINED_IN)} - {file}
    assert sorted(needed) == sorted(includes(text))


@library_file
def test_every_library_file_is_included(file: str) -> None:
    assert any(file in includes(text) for text in (*VERBS.values(), *LIBRARY.values()))


@verb
def test_a_verb_says_what_it_takes_and_returns_and_is_called(verb: str) -> None:
    header = VERBS[verb].partition("\n-- @include")[0]
    assert re.match(r"-- [A-Z]", header)
    assert re.search(r"^-- ARGV\b", header, re.MULTILINE)
    assert re.search(r"^-- .*[Rr]eturn", header, re.MULTILINE)
    assert f'"{verb}"' in _PYTHON
