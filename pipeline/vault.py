"""Everything secret or personal rests as a sealed blob; everything compared rests as a digest."""

import base64
import hashlib
import zlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipeline.errors import ClaimcastError, InputError


class SealError(ClaimcastError):
    """A blob cannot be opened: wrong key, damaged, or meant for another place."""


class Vault:
    """
    Seals with the first of *secret_keys* (Fernet keys), opens with any of them.

    A sealed blob is a Fernet token without its base64 (a quarter smaller), over compressed text
    that names its purpose, so that a blob copied to another batch does not open there.
    """

    def __init__(self, secret_keys: Sequence[str], *, digest_key: bytes = b"") -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in secret_keys])
        except ValueError as error:
            msg = "CLAIMCAST_SECRET_KEYS must hold Fernet keys: 32 bytes in URL-safe base64 each"
            raise InputError(msg) from error
        self._digest_key = digest_key

    def with_digest_key(self, digest_key: bytes) -> "Vault":
        other = Vault.__new__(Vault)
        other._fernet = self._fernet  # noqa: SLF001 - a copy of ourselves
        other._digest_key = digest_key  # noqa: SLF001
        return other

    def seal(self, plain: bytes, purpose: str) -> bytes:
        token = self._fernet.encrypt(zlib.compress(purpose.encode() + b"\0" + plain))
        return base64.urlsafe_b64decode(token)

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Return what was sealed for *purpose*; raises SealError."""
        try:
            text = zlib.decompress(self._fernet.decrypt(base64.urlsafe_b64encode(sealed)))
        except (InvalidToken, zlib.error) as error:
            msg = f"{purpose} cannot be decrypted with the keys in CLAIMCAST_SECRET_KEYS"
            raise SealError(msg) from error
        found, _, plain = text.partition(b"\0")
        if found != purpose.encode():
            msg = f"{purpose} holds a blob that was sealed for {found.decode(errors='replace')}"
            raise SealError(msg)
        return plain

    def digest(self, purpose: str, data: bytes, size: int = 16) -> bytes:
        """Return *size* bytes that only holders of the digest key can compute from *data*."""
        return hashlib.blake2b(
            data, digest_size=size, key=self._digest_key, person=purpose.encode()[:16]
        ).digest()
