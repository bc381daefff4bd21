"""The tables of docs/internals/data-model.md, made from the dictionary and from the sources."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from tests.docs.data_model.dictionary.all_keys import GROUPS, KEYS
from tests.docs.data_model.dictionary.entries import Field, Key
from tests.docs.data_model.dictionary.hashes import FIELDS
from tests.docs.data_model.lua_calls import accesses, entry, users
from tests.support.root import ROOT

_IN_PYTHON = {"batch_key": "Batch", "campaign_key": "CampaignSnapshot"}
_TITLES = {
    "ledger_key": "The ledger, and `cc:<serial>:g:<batch>`",
    "resends_key": "Resends",
    "lookup_key": "The look-up of recipients",
}
_LONG = {"batch_key", "campaign_key"}


def keys_markdown() -> str:
    """Return a table of keys for each group."""
    return "\n\n".join("\n".join(_group(title, group)) for title, group in GROUPS.items())


def batch_markdown() -> str:
    return _fields_table("batch_key")


def campaign_markdown() -> str:
    return _fields_table("campaign_key")


def other_fields_markdown() -> str:
    """Return a table of fields for each hash that is neither a batch nor a campaign."""
    shown = [key for key in KEYS if key.name in FIELDS and key.name not in _LONG]
    return "\n\n".join(_other(key) for key in shown if key.name != "earlier_key")


def library_markdown() -> str:
    """Return which verbs each file of the Lua library that touches a key is part of."""
    touching = sorted({each.file for each in accesses() if each.file.startswith("lib/")})
    rows = [f"| `{name}` | {_names(users(name.removeprefix('lib/')))} |" for name in touching]
    return "\n".join(["| file | is part of the verbs |", "|---|---|", *rows])


def doing(key: str, field: Field, does: str) -> list[str]:
    """Return the Lua files that read, set or remove a field."""
    return sorted(
        {
            each.file
            for each in accesses()
            if (each.key, each.does) == (key, does)
            and each.field
            and entry(key, each.field) is field
        }
    )


@cache
def python_users(key: str) -> list[str]:
    """Return the modules of the program that use a name of `pipeline/store/keys.py`."""
    return sorted(module for module, names in _names_of_keys() if key in names)


def _group(title: str, group: Sequence[Key]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield "| key | type | holds | goes away | set by | removed by | read by | in Python |"
    yield "|---|---|---|---|---|---|---|---|"
    for key in group:
        cells = [
            f"`{key.pattern}`<br>`{key.name}`",
            f"{key.kind}, {key.sealed}",
            key.holds,
            key.goes,
            *(_touching(key.name, does) for does in ("sets", "removes", "reads")),
            _names(_short(module) for module in python_users(key.name)),
        ]
        yield f"| {' | '.join(map(_cell, cells))} |"


def _other(key: Key) -> str:
    title = _TITLES.get(key.name, f"`{key.pattern}`")
    modules = _names(map(_short, python_users(key.name)))
    return f"### {title}\n\nIn Python: {modules}.\n\n{_fields_table(key.name)}"


def _touching(key: str, does: str) -> str:
    if key in _LONG:
        return "see its fields"
    return _names({each.file for each in accesses() if (each.key, each.does) == (key, does)})


def _fields_table(key: str) -> str:
    head = ["| field | type | means | absent | set by | removed by | read by |", "|---" * 7 + "|"]
    return "\n".join([*head, *(_row(key, field) for field in FIELDS[key])])


def _row(key: str, field: Field) -> str:
    there = [f"{_IN_PYTHON[key]}.{field.value}"] if field.value else []
    cells = [
        f"`{field.name}`",
        field.kind,
        field.means,
        field.absent,
        _names([*doing(key, field, "sets"), *map(_short, field.python)]),
        _names(doing(key, field, "removes")),
        _names([*doing(key, field, "reads"), *there]),
    ]
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(set(names), key=_verbs_first)) or "-"


def _verbs_first(name: str) -> tuple[bool, bool, str]:
    return "." in name, name.startswith("lib/"), name


def _short(module: str) -> str:
    return module.removeprefix("pipeline/")


@cache
def _names_of_keys() -> list[tuple[str, set[str]]]:
    """Return each module of the program with what it names, if that may be from keys.py."""
    found = []
    for folder in ("pipeline", "worker"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            if "store.keys import" in text or "store import keys" in text:
                found.append((str(path.relative_to(ROOT)), _named(ast.parse(text))))
    return found


def _named(tree: ast.Module) -> set[str]:
    """Return what a module imports from keys.py, or names as `keys.NAME`."""
    imported = {
        name.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and each.module == "pipeline.store.keys"
        for name in each.names
    }
    return imported | {
        each.attr
        for each in ast.walk(tree)
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id == "keys"
    }
