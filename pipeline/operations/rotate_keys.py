"""
Rotates the secret keys: seals everything again under the first of them.

It works while campaigns run: a blob is replaced only if it has not changed since it was read, so a
newer write is never lost. May be killed and repeated: a blob under the first key is recognised by
its MAC and skipped. Digests, and with them look-ups and tokens, stay: the digest key is only
wrapped anew.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.domain.vault import Vault
from pipeline.store.maintenance.sealed_blobs import Blob, Replacement, SealedBlobs

_WRITE_BYTES = 64 * 1024  # per script, and so per sync of the server's log


@dataclass(slots=True)
class KeyUsage:
    """Counts the blobs by the position of the key that opens them; None stands for no key."""

    by_key: Counter[int | None] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Return how many blobs there are."""
        return self.by_key.total()

    @property
    def others(self) -> int:
        """Return how many blobs would be lost if only the first key were left."""
        return self.total - self.by_key[0] - self.unreadable

    @property
    def unreadable(self) -> int:
        """Return how many blobs no key opens."""
        return self.by_key[None]


class KeyRotation:
    """Rotates the keys of one Redis; the first key of *vault* is the new one."""

    def __init__(self, blobs: SealedBlobs, vault: Vault) -> None:
        self._blobs = blobs
        self._vault = vault

    async def look(self) -> KeyUsage:
        """Count the blobs by the key that opens them; changes nothing."""
        usage = KeyUsage()
        async for blobs in self._blobs.pages():
            usage.by_key.update(self._vault.key_index(blob.sealed) for blob in blobs)
        return usage

    async def reseal(self, shown: Callable[[int], None] = lambda _: None) -> int:
        """
        Seal again what is under another key than the first; return how many were replaced.

        After each step *shown* is called with the number that it replaced. A blob that none of the
        keys opens is left as it is.
        """
        replaced = 0
        async for blobs in self._blobs.pages():
            for chunk in chunks(self._resealed(blobs)):
                done = await self._blobs.replace(chunk)
                replaced += done
                shown(done)
        return replaced

    def _resealed(self, blobs: Sequence[Blob]) -> Iterator[Replacement]:
        for blob in blobs:
            if self._vault.key_index(blob.sealed):  # neither the first key nor none
                yield Replacement(blob, self._vault.reseal(blob.sealed))


def chunks(replacements: Iterable[Replacement]) -> Iterator[list[Replacement]]:
    """Yield the replacements of one step each: until their blobs reach 64 kB."""
    chunk: list[Replacement] = []
    size = 0
    for replacement in replacements:
        chunk.append(replacement)
        size += len(replacement.sealed)
        if size >= _WRITE_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
