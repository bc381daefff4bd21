"""Every fault of the sandbox, as tables: read off the models that judge them."""

from sandbox.control.listing import values_of
from sandbox.faults import KINDS, Switches


def fault_tables() -> str:
    """Return a table for each part of the sandbox."""
    return "\n\n".join(map(_table, KINDS))


def _table(kind: type[Switches]) -> str:
    properties = kind.model_json_schema()["properties"]
    rows = [f"| fault of {kind.part} (`{kind.option}`) | value | what happens |", "|---|---|---|"]
    rows += [
        f"| `{name}` | {values_of(name, about)} | {about['description']} |"
        for name, about in properties.items()
    ]
    return "\n".join(rows)
