"""The blobs of a batch, sealed and opened: each for its own purpose, bound to its place."""

from collections.abc import Sequence

from pipeline.domain.models import Recipient
from pipeline.domain.vault import Vault
from pipeline.store.formats.recipient_codec import decode_batch, encode_batch
from pipeline.store.keys import evidence_purpose, links_purpose, recipients_purpose


def seal_recipients(
    vault: Vault, serial: str, batch: int, recipients: Sequence[Recipient]
) -> bytes:
    return vault.seal(encode_batch(recipients), recipients_purpose(serial, batch))


def open_recipients(
    vault: Vault, serial: str, batch: int, sealed: bytes | None
) -> list[Recipient]:
    """Return the recipients; raises SealError, also for None, which opens as little as damage."""
    return decode_batch(vault.open(sealed or b"", recipients_purpose(serial, batch)))


def seal_links(vault: Vault, serial: str, batch: int, links: Sequence[str]) -> bytes:
    """Return the links sealed; an empty one stands for an erased person."""
    return vault.seal("\n".join(links).encode(), links_purpose(serial, batch))


def open_links(vault: Vault, serial: str, batch: int, sealed: bytes | None) -> list[str]:
    """Return the links in their recipients' order, none if there are none yet; or SealError."""
    if sealed is None:
        return []
    return decode_links(vault.open(sealed, links_purpose(serial, batch)))


def decode_links(plain: bytes) -> list[str]:
    """Return the links that an opened blob holds, in their recipients' order."""
    return plain.decode().split("\n")


def seal_evidence(vault: Vault, serial: str, batch: int, evidence: bytes) -> bytes:
    """Return the raw answer that a batch is held for, sealed; nothing if there is none."""
    return vault.seal(evidence, evidence_purpose(serial, batch)) if evidence else b""


def open_evidence(vault: Vault, serial: str, batch: int, sealed: bytes | None) -> bytes:
    """Return the raw answer; empty if none is kept. Raises SealError."""
    return b"" if sealed is None else vault.open(sealed, evidence_purpose(serial, batch))
