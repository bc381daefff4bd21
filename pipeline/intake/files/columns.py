"""Checks the names of columns, or of the keys of NDJSON objects."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

STANDARD = ("id", "email", "phone", "name", "locale", "timezone")
MOST_COLUMNS = 500

_LONGEST_NAME = 100
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(slots=True)
class RawRow:
    """
    One row as it was written; only its form was checked.

    `line` is the first physical line. `original` holds the values in the order of the source's
    `columns`. `fault` says why the row has no usable `values`, or is empty.
    """

    line: int
    values: dict[str, str] = field(default_factory=dict)
    original: Sequence[str] = ()
    fault: str = ""


def name_fault(name: str) -> str:
    """Return what is wrong with a column's name, or an empty string."""
    if not name.strip():
        return "has no name; name it or remove it"
    if len(name) > _LONGEST_NAME or _UNPRINTABLE.search(name):
        return "must have a name of one line and at most 100 characters"
    if name == "link":
        return "cannot be called link, which is the name of the claim link in templates"
    if name not in STANDARD and name.strip().lower() in STANDARD:
        return f'must be written "{name.strip().lower()}"'
    return ""


def nearest(name: str, known: Collection[str]) -> str:
    """Return a clause that suggests the known name closest to *name*, or an empty string."""
    close = get_close_matches(name, list(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""
