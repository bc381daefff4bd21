"""The names of the environment variables behind a settings model, and what is wrong with them."""

import os
import types
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined
from pydantic_settings import BaseSettings, DotEnvSettingsSource

PREFIX = "CLAIMCAST_"
DELIMITER = "__"


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable; `default` is None if there is none."""

    name: str
    description: str
    default: object
    required: bool
    """Within its group, which may be absent as a whole."""
    secret: bool


def variables(model: type[BaseModel], prefix: str = PREFIX) -> Iterator[Variable]:
    """Yield every variable of *model*, in the order of its fields, groups flattened."""
    for field_name, field in model.model_fields.items():
        name = prefix + field_name.upper()
        group = next((kind for kind in _kinds(field.annotation) if _is_group(kind)), None)
        if group is not None:
            yield from variables(group, name + DELIMITER)
        else:
            yield _variable(name, field)


def unknown_names(model: type[BaseSettings], env_file: str | Path | None) -> list[str]:
    """Return a sentence for each name with our prefix that no setting has."""
    known = [variable.name for variable in variables(model)]
    in_file = DotEnvSettingsSource(model, env_file=env_file).env_vars
    found = dict.fromkeys(name.upper() for name in (*os.environ, *in_file))
    return [
        f"{name} is not a setting" + _nearest(name, known)
        for name in found
        if name.startswith(PREFIX) and name not in known
    ]


def problem_sentences(error: ValidationError) -> list[str]:
    """Return a sentence for each problem, with the variable's name and never its value."""
    return [_sentence(problem) for problem in error.errors(include_input=False, include_url=False)]


def _sentence(problem: ErrorDetails) -> str:
    # Beyond two levels the location names parts of a value, e.g. the members of a union.
    name = PREFIX + DELIMITER.join(str(part).upper() for part in problem["loc"][:2])
    if problem["type"] == "missing":
        return f"{name} is not set, but others of its group are"
    if problem["type"] == "value_error" and not problem["loc"]:
        return str(problem["ctx"]["error"])  # of several groups: it names them itself
    if problem["type"] == "value_error":
        return f"{name}: {problem['ctx']['error']}"
    return f"{name}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _nearest(name: str, known: list[str]) -> str:
    nearest = get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _variable(name: str, field: FieldInfo) -> Variable:
    return Variable(
        name=name,
        description=field.description or "",
        default=None if field.default is PydanticUndefined else field.default,
        required=field.is_required(),
        secret=SecretStr in _kinds(field.annotation),
    )


def _kinds(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - that is what annotations are
    """Yield the types that *annotation* may stand for: the members of a union, or itself."""
    if get_origin(annotation) in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from _kinds(member)
    else:
        # Annotated[kind, …] within a union keeps its metadata; only the kind matters here.
        yield getattr(annotation, "__origin__", annotation)


def _is_group(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
