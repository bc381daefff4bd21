"""The resends of a batch's recipients as they are stored: sealed, one field per person."""

import json
from collections.abc import Mapping, Sequence

from pipeline.domain.models import Recipient
from pipeline.domain.resend_history import Resend, ResendHistory
from pipeline.domain.vault import Vault
from pipeline.store.codec import CHANNEL, CHANNEL_LETTER
from pipeline.store.keys import resends_purpose
from pipeline.store.lookups import id_digest


def seal_resends(vault: Vault, serial: str, recipient_id: str, resends: ResendHistory) -> bytes:
    """Return the resends of one recipient, bound to the person and not to the place."""
    return vault.seal(encode_resends(resends), _purpose(vault, serial, recipient_id))


def open_resends(
    vault: Vault, serial: str, recipients: Sequence[Recipient], sealed: Mapping[int, bytes]
) -> dict[int, ResendHistory]:
    """Return the resends by index; raises SealError, or IndexError for one of no recipient."""
    return {
        index: decode_resends(vault.open(blob, _purpose(vault, serial, recipients[index].id)))
        for index, blob in sealed.items()
    }


def encode_resends(resends: Sequence[Resend]) -> bytes:
    rows = [
        [CHANNEL_LETTER[each.channel], each.number, each.address, each.at_ms] for each in resends
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def decode_resends(data: bytes) -> ResendHistory:
    """Return what `encode_resends` was given; ValueError, KeyError or TypeError if damaged."""
    return tuple(
        Resend(channel=CHANNEL[letter], number=int(number), address=address, at_ms=int(at))
        for letter, number, address, at in json.loads(data)
    )


def _purpose(vault: Vault, serial: str, recipient_id: str) -> str:
    return resends_purpose(serial, id_digest(vault, serial, recipient_id).hex())
