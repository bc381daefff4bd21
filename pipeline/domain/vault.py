"""Everything secret or personal is stored as a sealed blob, everything compared as a digest."""

import base64
import copy
import hashlib
import hmac
import zlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipeline.domain.errors import ClaimcastError, InputError

_VERSION = b"\x80"  # the first byte of every Fernet token
_OVERHEAD, _BLOCK = 57, 16  # version, time, IV and MAC around blocks of AES (Fernet's spec)
_MAC_SIZE = 32


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
        self._keys = [base64.urlsafe_b64decode(key) for key in secret_keys]
        self._digest_key = digest_key
        self._keyed: dict[tuple[str, int], hashlib.blake2b] = {}

    def with_digest_key(self, digest_key: bytes) -> "Vault":
        """Return a vault with the same secret keys that digests with *digest_key*."""
        other = copy.copy(self)
        other._digest_key, other._keyed = digest_key, {}  # noqa: SLF001 - a copy of ourselves
        return other

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """What names each key, in their order: 8 hex digits that say nothing about the key."""
        return tuple(
            hashlib.blake2b(key, digest_size=4, person=b"fingerprint").hexdigest()
            for key in self._keys
        )

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """Return *plain* encrypted with the first key, to be opened for *purpose* only."""
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

    def key_index(self, sealed: bytes) -> int | None:
        """
        Return which key opens a blob, None if none does; 0 is the first, which seals.

        Looks at the blob's MAC alone (by Fernet's spec the first half of a key signs), which is
        cheaper than to open it.
        """
        body, mac = sealed[:-_MAC_SIZE], sealed[-_MAC_SIZE:]
        for place, key in enumerate(self._keys):
            if hmac.compare_digest(mac, hmac.digest(key[:16], body, "sha256")):
                return place
        return None

    def reseal(self, sealed: bytes) -> bytes:
        """Return the blob under the first key, for the same purpose; raises SealError."""
        try:
            token = self._fernet.rotate(base64.urlsafe_b64encode(sealed))
        except InvalidToken as error:
            msg = "a blob cannot be decrypted with the keys in CLAIMCAST_SECRET_KEYS"
            raise SealError(msg) from error
        return base64.urlsafe_b64decode(token)

    def digest(self, purpose: str, data: bytes, size: int = 16) -> bytes:
        """Return *size* bytes that only holders of the digest key can compute from *data*."""
        keyed = self._keyed.get((purpose, size))
        if keyed is None:
            # Made once, as that costs more than to hash an address.
            keyed = self._keyed[purpose, size] = hashlib.blake2b(
                digest_size=size, key=self._digest_key, person=purpose.encode()[:16]
            )
        hashed = keyed.copy()
        hashed.update(data)
        return hashed.digest()


def is_in_clear(value: bytes) -> bool:
    """Tell whether a value was never sealed; a damaged blob was."""
    return not value.startswith(_VERSION)


def is_sealed(value: bytes) -> bool:
    """Tell whether a value has the form of a sealed blob, with whichever key."""
    return not is_in_clear(value) and (len(value) - _OVERHEAD) % _BLOCK == 0


def mac_of(sealed: bytes) -> bytes:
    """Return what no other blob has: the MAC at its end, over everything in it."""
    return sealed[-_MAC_SIZE:]
