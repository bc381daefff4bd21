"""Tokens in URLs and envelope senders: which message an answer is about, with a proof of ours."""

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.models import ChannelName
from pipeline.domain.vault import Vault
from pipeline.store.codec import CHANNEL, CHANNEL_LETTER
from pipeline.store.keys import signed_token_digest

_FIELDS = struct.Struct(">IIBcBH")  # serial, batch, index, channel, resend number, attempt
_MAC_SIZE = 12
_LONGEST = 64  # octets of a local part, RFC 5321 4.5.3.1.1


class Purpose(StrEnum):
    """A token made for one purpose is worth nothing for another."""

    FULFILMENT = "fulfilment"
    CALLBACK = "callback"
    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a token is about; attempt 0 means the latest one."""

    serial: str
    batch: int
    index: int = 0
    channel: ChannelName = ChannelName.EMAIL
    resend_number: int = 1
    attempt: int = 0


class SignedTokens:
    """Makes and reads tokens; they need no look-up, and say nothing without the key."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def make(self, purpose: Purpose, target: Target) -> str:
        """Return 40 lowercase base32 characters, fit for a URL and for a local part."""
        fields = _FIELDS.pack(
            int(target.serial),
            target.batch,
            target.index,
            CHANNEL_LETTER[target.channel].encode(),
            target.resend_number,
            min(target.attempt, 0xFFFF),
        )
        return base64.b32encode(fields + self._mac(purpose, fields)).decode().lower().rstrip("=")

    def read(self, purpose: Purpose, token: str) -> Target | None:
        """Return what *token* is about, or None if it was not made here for *purpose*."""
        if not token.isascii() or len(token) > _LONGEST:
            return None
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except (binascii.Error, ValueError):
            return None
        fields, mac = raw[: _FIELDS.size], raw[_FIELDS.size :]
        if not hmac.compare_digest(mac, self._mac(purpose, fields)):
            return None
        serial, batch, index, letter, resend_number, attempt = _FIELDS.unpack(fields)
        return Target(
            serial=str(serial),
            batch=batch,
            index=index,
            channel=CHANNEL[letter.decode()],
            resend_number=resend_number,
            attempt=attempt,
        )

    def _mac(self, purpose: Purpose, fields: bytes) -> bytes:
        return self._vault.digest(signed_token_digest(purpose), fields, _MAC_SIZE)
