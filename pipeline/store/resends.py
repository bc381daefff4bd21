"""The resends of a batch's recipients as they rest: sealed, one field per person who has any."""

from collections.abc import Mapping, Sequence

from pipeline.generations import Generations, decode_generations, encode_generations
from pipeline.models import Recipient
from pipeline.vault import Vault


def seal_generations(
    vault: Vault, serial: str, recipient_id: str, generations: Generations
) -> bytes:
    """Return the resends of one recipient, bound to the person and not to the place."""
    return vault.seal(encode_generations(generations), _purpose(vault, serial, recipient_id))


def open_generations(
    vault: Vault, serial: str, recipients: Sequence[Recipient], sealed: Mapping[int, bytes]
) -> dict[int, Generations]:
    """Return the resends by index; raises SealError, or IndexError for one of nobody."""
    return {
        index: decode_generations(vault.open(blob, _purpose(vault, serial, recipients[index].id)))
        for index, blob in sealed.items()
    }


def _purpose(vault: Vault, serial: str, recipient_id: str) -> str:
    # A digest, as the text of an error names the purpose, and an id may be an address.
    digest = vault.digest("recipient", f"{serial}\n{recipient_id}".encode(), 9)
    return f"generations:{serial}:{digest.hex()}"
