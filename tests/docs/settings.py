"""The settings as tables: one per group of the code, with how each is written and its default."""

import dataclasses
import types
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config import fields
from config.settings import NonEmptyText, Settings
from config.variables import DELIMITER, PREFIX, Variable, variables

_TITLES = {
    "redis": "Redis",
    "rewards": "Rewards API",
    "smtp": "Mail server",
    "twilio": "Twilio",
    "webhook": "Your own app",
    "limits": "Rate limits",
    "retry": "Repeating what failed for now",
    "alert": "Alerts",
}
_KINDS: tuple[tuple[Any, str], ...] = (
    (fields.Duration, "length"),
    (fields.Days, "length in days"),
    (fields.RateText, "rate"),
    (fields.Words, "list"),
    (fields.FernetKeys, "list of keys, secret"),
    (fields.WebhookSecret, "`whsec_…`, secret"),
    (fields.RedisUrl, "Redis URL, secret"),
    (fields.SecretWebUrl, "URL, secret"),
    (fields.HookUrl, "https URL"),
    (fields.ServiceUrl, "https URL"),
    (fields.MailboxText, "mailbox"),
    (fields.JmesPath, "JMESPath"),
    (SecretStr, "text, secret"),
    (NonEmptyText, "text"),
    (Path, "folder"),
    (Decimal, "amount"),
    (bool, "`0` or `1`"),
)


def settings_tables() -> str:
    """Return a heading and a table per group, and one more for what is in no group."""
    lone: list[str] = []
    parts = []
    for name, field in Settings.model_fields.items():
        group = next((kind for kind in _members(field.annotation) if _is_group(kind)), None)
        if group is None:
            lone += _rows(Settings, PREFIX, only=name)
        else:
            rows = list(_rows(group, f"{PREFIX}{name.upper()}{DELIMITER}"))
            parts.append(_table(_TITLES[name], rows))
    parts.insert(1, _table("Keys, state, and everything else", lone))
    return "\n\n".join(parts)


def _table(title: str, rows: list[str]) -> str:
    head = ["| variable | meaning | written as | default |", "|---|---|---|---|"]
    return "\n".join([f"### {title}", "", *head, *rows])


def _rows(model: type[BaseModel], prefix: str, only: str | None = None) -> Iterator[str]:
    """Yield a row per variable of *model*, or of its field *only*."""
    hints = get_type_hints(model, include_extras=True)
    known = {each.name: each for each in variables(model, prefix)}
    for name, field in model.model_fields.items():
        if only in {None, name}:
            each = known[prefix + name.upper()]
            kind = _kind(hints[name], field)
            yield f"| `{each.name}` | {each.description} | {kind} | {_default(each)} |"


def _kind(hint: object, field: FieldInfo) -> str:
    """Return how a value is written; raises LookupError for a kind that has no words yet."""
    for member in _members(hint):
        if get_origin(member) is Literal:
            return " or ".join(f"`{word}`" for word in get_args(member))
        if member in {int, float}:
            return f"{'whole ' if member is int else ''}number, {_range(field)}"
        for kind, words in _KINDS:
            if member == kind:
                return words
    msg = f"no words for {hint}: add them to _KINDS"
    raise LookupError(msg)


def _range(field: FieldInfo) -> str:
    bounds: dict[str, int] = {}
    for bound in field.metadata:
        if dataclasses.is_dataclass(bound) and not isinstance(bound, type):
            bounds |= dataclasses.asdict(bound)
    low = bounds.get("ge", bounds.get("gt", -1) + 1)
    high = bounds["le"] if "le" in bounds else bounds["lt"] - 1
    return f"{low} to {high}"


def _default(variable: Variable) -> str:
    """Return a default as one would write it."""
    match variable.default:
        case None:
            return "required" if variable.required else ""
        case timedelta() as length:
            units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
            seconds = length.total_seconds()
            unit = next(unit for unit, size in units.items() if seconds % size == 0)
            return f"`{seconds / units[unit]:.0f} {unit}`"
        case tuple() as words:
            return f"`{','.join(words)}`"
        case bool() as flag:
            return f"`{flag:d}`"
        case value:
            return f"`{value}`"


def _members(hint: object) -> Iterator[Any]:
    """Yield what *hint* may stand for: the members of a union but None, or itself."""
    if get_origin(hint) in {Union, types.UnionType}:
        yield from (member for member in get_args(hint) if member is not type(None))
    else:
        yield hint


def _is_group(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
