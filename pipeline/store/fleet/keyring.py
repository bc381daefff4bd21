"""
The keys of an installation: the digest key, made once, and who seals with which key.

The digest key is random and is stored wrapped by the operator's secret keys. Beside it are the
rings, the keys of every process that ever ran here: so a process misses a key that something may
still be sealed with when it starts, not when a blob does not open. Then the living processes, and
the format of all that is stored.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.errors import InputError
from pipeline.domain.stored_format import OURS, UNMARKED, StoredFormat
from pipeline.domain.vault import SealError, Vault
from pipeline.store.client import Client
from pipeline.store.keys import DIGEST_KEY_PURPOSE, KEYRING, LIVE_PROCESSES
from pipeline.store.outages import STORE_ERRORS
from pipeline.store.scripts import Scripts, server_seconds

BEAT_SECONDS = 5.0
SILENT_SECONDS = 12.0  # more than two beats
_LOOK_SECONDS = 0.5
_LEAVE_SECONDS = 1.0
_RING = "ring:"


@dataclass(frozen=True, slots=True)
class Process:
    """
    A process that is alive, or was lately, by the fingerprints of its keys; the first one seals.

    `seen_ms` is its last sign of life, on the server's clock; `age` the seconds since.
    """

    name: str
    fingerprints: tuple[str, ...]
    seen_ms: int
    age: float

    @property
    def seals(self) -> str:
        return self.fingerprints[0]


class WrongKeysError(InputError):
    """The secret keys are not, or not all of, those that the data was sealed with."""


async def is_in_use(redis: Client) -> bool:
    """Tell whether something was sealed on this server before."""
    return bool(await redis.exists(KEYRING))


async def unlock(redis: Client, vault: Vault) -> Vault:
    """
    Return the vault with the digest key of this installation, making the key on first use.

    Raises InputError with one sentence, before anything is written, if the data in Redis is of a
    format that this program does not know, if the secret keys are not those that it was sealed
    with, or if the digest key is gone. May be called by many at once. A process that goes on for
    long uses a Keyring, and keeps itself enrolled.
    """
    keyring = Keyring(redis, vault)
    unlocked = await keyring.unlock()
    await keyring.leave()
    return unlocked


class Keyring:
    """
    The keys that the processes of an installation seal with, and those of this process.

    The process is enrolled with its own until it leaves, so that nobody retires a key in use.
    """

    def __init__(self, redis: Client, vault: Vault, known: StoredFormat = OURS) -> None:
        self._redis = redis
        self._known = known
        self._call = Scripts(redis).call
        self._vault = vault
        self._ours = vault.fingerprints
        self._name = secrets.token_hex(8)

    async def unlock(self, *, seals: bool = True, lenient: bool = False) -> Vault:
        """
        Do what the function `unlock` says, and enroll this process.

        A process that never *seals* is not enrolled: reading commits nobody to a key. *lenient*
        accepts that a key is missing; the caller checks whether anything is sealed with it.
        """
        fresh = self._vault.seal(secrets.token_bytes(32), DIGEST_KEY_PURPOSE)
        kind, found, *sealed = await self._call(
            "keyring", fresh, ",".join(self._ours), self._known.written
        )
        self._known.check(int(found))
        if kind == b"lost":
            msg = (
                "Redis holds data of claimcast, but not the key that its look-ups were made with "
                f"({KEYRING}): put the data back from a backup, or start with an empty database."
            )
            raise InputError(msg)
        digest_key = self._opened(sealed[0])
        if not lenient:
            await self.require_all_keys()
        if seals:
            await self.enroll()
        return self._vault.with_digest_key(digest_key)

    async def require_all_keys(self) -> None:
        """Raise WrongKeysError if this process lacks a key that something was sealed with."""
        if missing := await self.missing():
            raise WrongKeysError(_dropped(missing))

    async def enroll(self) -> None:
        """
        Note that a process with these keys is alive, and mark the data with its format.

        Raises FormatError, and changes nothing, if the data has a newer one by now.
        """
        silent_ms = round(SILENT_SECONDS * 1000)
        ring, written = ",".join(self._ours), self._known.written
        found = await self._call("enroll", ring, self._name, silent_ms, written)
        self._known.check(int(found))

    async def check_format(self) -> None:
        """Raise FormatError if the data has by now a format that this program does not read."""
        found = await self._redis.hget(KEYRING, "format")
        self._known.check(int(found or UNMARKED))

    async def keep_enrolled(self, seconds: float = BEAT_SECONDS, *, seals: bool = True) -> None:
        """
        Enroll every *seconds*, for ever; without *seals* only check the format.

        Raises FormatError once the data has a format that is too new for this program.
        """
        while True:
            await asyncio.sleep(seconds)
            with contextlib.suppress(*STORE_ERRORS):  # others report an outage
                await (self.enroll() if seals else self.check_format())

    async def leave(self) -> None:
        """Sign off, so that nobody waits for this process to be silent; may be called twice."""
        with contextlib.suppress(*STORE_ERRORS, TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._redis.hdel(LIVE_PROCESSES, self._name)

    async def sealed_with(self) -> set[str]:
        """Return the fingerprints of all keys that something may be sealed with."""
        names = [name.decode() for name in await self._redis.hkeys(KEYRING)]
        rings = (name.removeprefix(_RING) for name in names if name.startswith(_RING))
        return {ring.partition(",")[0] for ring in rings}

    async def missing(self) -> list[str]:
        """Return the fingerprints of keys that were sealed with and that this process lacks."""
        return sorted(await self.sealed_with() - set(self._ours))

    async def others(self) -> list[Process]:
        """Return the recent processes that seal with another key than this one."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(LIVE_PROCESSES)
            pipe.time()
            entries, time = await pipe.execute()
        now = server_seconds(time)
        found = [_process(name.decode(), entry.decode(), now) for name, entry in entries.items()]
        return [process for process in found if process.seals != self._ours[0]]

    async def living(self, silent_seconds: float = SILENT_SECONDS) -> list[Process]:
        """
        Return those of the others that are certainly alive.

        Waits until each gave a sign of life, left, or was silent for *silent_seconds*.
        """
        before = {process.name: process.seen_ms for process in await self.others()}
        while True:
            others = await self.others()
            alive = [each for each in others if each.seen_ms != before.get(each.name)]
            if all(each in alive or each.age >= silent_seconds for each in others):
                return alive
            await asyncio.sleep(min(_LOOK_SECONDS, silent_seconds / 4))

    async def retire(self, silent_seconds: float = SILENT_SECONDS) -> int:
        """Remove the rings of other keys once nothing is sealed with them; living ones stay."""
        return int(await self._call("retire", self._ours[0], round(silent_seconds * 1000)))

    def _opened(self, sealed: bytes) -> bytes:
        try:
            return self._vault.open(sealed, DIGEST_KEY_PURPOSE)
        except SealError as error:
            msg = (
                "The data in Redis was encrypted with other keys: set CLAIMCAST_SECRET_KEYS to "
                "those that this installation used before (the first encrypts, all decrypt)."
            )
            raise WrongKeysError(msg) from error


def _process(name: str, entry: str, now: float) -> Process:
    ring, _, seen = entry.partition(" ")
    return Process(name, tuple(ring.split(",")), int(seen), now - int(seen) / 1000)


def _dropped(missing: Sequence[str]) -> str:
    keys = f"the key {missing[0]}" if len(missing) == 1 else f"the keys {', '.join(missing)}"
    return (
        f"Data in Redis may still be encrypted with {keys} (fingerprint), which is not in "
        "CLAIMCAST_SECRET_KEYS: put it there behind the others, and drop it when `claimcast "
        "rekey` has said that nothing needs it any more."
    )
