"""
The Lua verbs as they are sent: each behind the files of `lib` that it includes, and no others.

A line `-- @include name, name` names library files without their folder and ending. They may
include others. A verb is called by its file's name, too.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

_INCLUDE = re.compile(r"^-- @include (.+)$", re.MULTILINE)


class IncludeError(ValueError):
    """A library file that is included is not there, or includes itself, or is there twice."""


@functools.cache
def verbs() -> Mapping[str, str]:
    """Return the complete text of every verb by its name."""
    folder = resources.files("pipeline.store.lua")
    library = read_scripts(folder / "lib")
    return {
        name: assembled(name, text, library)
        for name, text in read_scripts(folder / "verbs").items()
    }


def read_scripts(folder: Traversable) -> dict[str, str]:
    """Return all Lua files under *folder* by name; raises IncludeError if two have the same."""
    found: dict[str, str] = {}
    for file in _lua_files(folder):
        name = file.name.removesuffix(".lua")
        if name in found:
            msg = f"there are two Lua files called {name}"
            raise IncludeError(msg)
        found[name] = file.read_text("utf-8")
    return found


def assembled(name: str, text: str, library: Mapping[str, str]) -> str:
    """Return the verb *text* behind all that it includes: each file once, behind what it needs."""
    needed = dict.fromkeys(_included(name, text, library, ()))
    return "\n".join([*(library[each] for each in needed), text])


def includes(text: str) -> list[str]:
    """Return the names that a Lua file includes itself, in their order."""
    return [name.strip() for line in _INCLUDE.findall(text) for name in line.split(",")]


def _included(
    name: str, text: str, library: Mapping[str, str], path: tuple[str, ...]
) -> Iterator[str]:
    """Yield what a file includes, each behind what it needs, some more than once."""
    for each in includes(text):
        if each not in library:
            msg = f"{name}.lua includes {each}, which is not in lib"
            raise IncludeError(msg)
        if each in path:
            msg = f"Lua files include each other in a circle: {' > '.join((*path, each))}"
            raise IncludeError(msg)
        yield from _included(each, library[each], library, (*path, each))
        yield each


def _lua_files(folder: Traversable) -> Iterator[Traversable]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _lua_files(entry)
        elif entry.name.endswith(".lua"):
            yield entry
