"""The versions of a campaign: what an edit may change, and since when each one counts; pure."""

from collections.abc import Iterator, Mapping
from itertools import chain

from pydantic import BaseModel

from pipeline.domain.campaign import Campaign

_EDITABLE: Mapping[str, frozenset[str]] = {
    "email": frozenset({"subject", "text", "html", "reply_to"}),
    "sms": frozenset({"body"}),
    "webhook": frozenset({"title", "body"}),
    "limits": frozenset({"email", "sms", "webhook"}),
}


def differences(before: Campaign, after: Campaign) -> list[str]:
    """Return the keys in which two definitions differ, dotted, in the order of the file."""
    return list(_differences(before, after, ""))


def is_editable(key: str) -> bool:
    """Return whether a dotted *key* may change in flight: the messages and the limits may."""
    section, _, name = key.partition(".")
    return name in _EDITABLE.get(section, ())


def version_at(began: Mapping[int, int], started_ms: int) -> int:
    """Return the version that an attempt started at *started_ms* went out with."""
    return max(chain((1,), (number for number, at in began.items() if at <= started_ms)))


def _differences(before: BaseModel, after: BaseModel, prefix: str) -> Iterator[str]:
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            yield from _differences(old, new, f"{prefix}{name}.")
        else:
            yield prefix + name
