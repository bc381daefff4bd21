"""What the readers in Python make of one field, and which fields they ask for."""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from pipeline.domain.batch import Batch, Lane
from pipeline.domain.models import ChannelName
from pipeline.store.formats.batch_fields import decode_batch_fields
from pipeline.store.formats.snapshot import CampaignSnapshot

_BATCH = {"st": "planned", "plan": ""}
_CAMPAIGN = {"id": "", "sub": "0", "ver": "2", "ver:2": "0", "blk:o": "x"}
_ARGUMENTS: Mapping[str, list[Any]] = {
    "probes": [Lane.ORDER],
    "workable_at": [Lane.ORDER, 0],
    "tried": [ChannelName.EMAIL],
    "noted": ["reordered"],
}


class Asked(Mapping[str, str]):
    """Fields as they are stored; `names` are those that somebody asked for."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def batch_of(fields: Mapping[str, str]) -> Batch:
    return decode_batch_fields(_BATCH | dict(fields))


def campaign_of(fields: Mapping[str, str]) -> CampaignSnapshot:
    return CampaignSnapshot("1", _CAMPAIGN | dict(fields), now_ms=0)


def value_of(read: object, name: str) -> Any:  # noqa: ANN401 - whatever the attribute holds
    """Return an attribute, or what a method of that name answers."""
    found = attrgetter(name)(read)
    return found(*_ARGUMENTS.get(name, [])) if callable(found) else found


def fields_of_a_batch() -> set[str]:
    """Return every field of a batch that Python asks for."""
    asked = Asked(_BATCH)
    decode_batch_fields(asked)
    return asked.names


def fields_of_a_campaign() -> set[str]:
    """Return every field of a campaign that Python asks for."""
    lanes = {f"blk:{letter}": "x" for letter in "ors"}
    asked = Asked(_CAMPAIGN | lanes)
    snapshot = CampaignSnapshot("1", asked, now_ms=0)
    for name in vars(CampaignSnapshot):
        if not name.startswith("_") and name not in {"fields", "of_some"}:
            value_of(snapshot, name)
    return asked.names
