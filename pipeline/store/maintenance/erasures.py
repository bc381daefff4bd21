"""Removing one person from a batch, in one step, if it still is what was read."""

from dataclasses import dataclass, field
from typing import Literal

from pipeline.store.scripts import Scripts

ErasureRefusal = Literal["purged", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The two sealed blobs of a batch as they were read, and as they are without one person."""

    rows: bytes = field(repr=False)
    other_rows: bytes = field(repr=False)
    links: bytes = field(repr=False)
    other_links: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """
    When a person was erased, in ms since the epoch, and whether that was done before.

    `on_its_way` says that a message had been started whose result is not known yet.
    """

    at_ms: int
    before: bool
    on_its_way: bool


class ErasureStore:
    """Replaces the sealed blobs of a batch by the same ones without one person."""

    def __init__(self, scripts: Scripts) -> None:
        self._call = scripts.call

    async def erase(
        self, serial: str, batch: int, index: int, erasure: Erasure
    ) -> Erased | ErasureRefusal:
        """
        Erase a person; may be repeated.

        Durable when it returns, where the server syncs every write (`always`). `everysec` is not
        waited for: if its machine dies within seconds, the person may be back.

        `purged` if nothing of anybody is left, `changed` if a blob is not what was read: then
        nothing was changed.
        """
        outcome, *rest = await self._call(
            "erase_recipient",
            *(serial, batch, index),
            *(erasure.rows, erasure.other_rows, erasure.links, erasure.other_links),
        )
        if outcome in {b"purged", b"changed"}:
            return "purged" if outcome == b"purged" else "changed"
        return Erased(at_ms=int(rest[0]), before=outcome == b"before", on_its_way=rest[1] == 1)
