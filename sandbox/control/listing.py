"""The list of all faults, read off the models that judge them."""

from typing import Any

from sandbox.faults import KINDS, Switches

_ENDING = """\
A share is a probability from 0 to 1. control_url is in the line that the sandbox prints. At these
addresses, GET shows the faults in force, PUT changes those that its JSON object names, and DELETE
turns all off."""


def listing() -> str:
    """Return every fault with the values that it takes and what it does, a line each."""
    sections = [_section(kind) for kind in KINDS]
    return "\n\n".join((*sections, _ENDING))


def _section(kind: type[Switches]) -> str:
    properties: dict[str, dict[str, Any]] = kind.model_json_schema()["properties"]
    rows = [(name, values_of(name, about)) for name, about in properties.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"  {name:{widths[0]}}  {values:{widths[1]}}  {properties[name]['description']}"
        for name, values in rows
    ]
    title = f"Faults of {kind.part}: {kind.option} NAME=VALUE, or control_url/{kind.path}"
    return "\n".join((title, *lines))


def values_of(name: str, about: dict[str, Any]) -> str:
    """Return in words what the JSON schema *about* the fault *name* lets it be."""
    if "enum" in about:
        return " or ".join(about["enum"])
    if about["type"] == "boolean":
        return "true or false"
    if "maximum" in about:
        return "share"
    return "seconds" if name.endswith("_seconds") else "number"
