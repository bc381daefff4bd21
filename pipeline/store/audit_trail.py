"""The audit trail: who did what when, append-only, each entry chained to the one before."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.keys import AUDIT, AUDIT_CHAIN_DIGEST, AUDIT_COUNT, AUDIT_PERSON_DIGEST
from pipeline.store.scripts import Scripts, server_seconds

_MAC_SIZE = 20
_AT_ONCE = 1000
_START = ""

Detail = str | int | bool


class AuditAction(StrEnum):
    """What is recorded: every action that moves money, reveals, changes or removes something."""

    SUBMIT = "submit"
    ORDER = "order"
    ADOPT = "adopt"
    REORDER = "reorder"
    REVEAL = "reveal"
    RESEND = "resend"
    RETRY = "retry"
    EDIT = "edit"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    LIMITS = "limits"
    SUPPRESS = "suppress"
    PURGE = "purge"
    FORGET = "forget"
    REKEY = "rekey"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """
    One line of the trail; `mac` proves it and everything before it.

    A recipient stands in `details` by a keyed digest (`recipient`), never by name or address.
    """

    number: int
    at: float
    actor: str
    action: str
    campaign: str | None
    details: Mapping[str, Detail]
    mac: str

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": self.at,
            "actor": self.actor,
            "action": self.action,
            "campaign": self.campaign,
            "details": dict(self.details),
            "mac": self.mac,
        }


class AuditTrail:
    """
    Writes and reads the trail of this installation.

    The chain is keyed, so nobody without CLAIMCAST_SECRET_KEYS can rewrite it unseen. What it
    cannot show is a trail that was put back, whole, to an earlier state: keep exports elsewhere.
    """

    def __init__(self, redis: Client, scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._call = scripts.call
        self._vault = vault
        self._length = 0
        self._last = _START
        self._writing = asyncio.Lock()

    async def add(
        self, action: AuditAction, *, actor: str, campaign: str | None = None, **details: Detail
    ) -> None:
        """
        Append an entry; call this before the action that it records.

        So a crash can leave an entry without its action, never an action without its entry: an
        entry is durable when this returns, where the server syncs every write (`always`), and
        under `everysec` no later than anything written after it.

        *details* hold no link, no address and no recipient id in clear (see `person_digest`).
        """
        at = round(server_seconds(await self._redis.time()), 3)
        body = {"at": at, "actor": actor, "action": str(action), "campaign": campaign} | {
            "details": details
        }
        async with self._writing:
            while True:
                number = self._length + 1
                mac = self._mac(number, self._last, body)
                text = json.dumps({"number": number, **body, "mac": mac}, ensure_ascii=False)
                done, last, *rest = await self._call("audit", self._length, text)
                if done:
                    self._length, self._last = number, mac
                    return
                if last.decode() == text:  # it is there: only the reply was lost
                    self._length, self._last = number, mac
                    return
                self._length = int(rest[0])
                self._last = json.loads(last)["mac"] if last else _START

    def person_digest(self, campaign: str, recipient_id: str) -> str:
        """Return what stands for a recipient in the trail: 16 hex digits, the same every time."""
        return self._vault.digest(
            AUDIT_PERSON_DIGEST, f"{campaign}\n{recipient_id}".encode(), 8
        ).hex()

    async def entries(self, campaign: str | None = None) -> AsyncIterator[AuditEntry]:
        """Yield all entries, or those of one campaign, oldest first."""
        async for _, text in self._texts():
            entry = _entry(text)
            if entry is not None and campaign in (None, entry.campaign):
                yield entry

    async def violations(self) -> list[str]:
        """Return what is wrong with the chain, a clause each; the first broken entry is named."""
        before, number = _START, 0
        async for number, text in self._texts():
            entry = _entry(text)
            if entry is None or entry.number != number:
                return [f"entry {number} of the audit trail cannot be read"]
            body = {name: value for name, value in entry.as_json().items() if name != "mac"}
            del body["number"]
            if not hmac.compare_digest(entry.mac, self._mac(number, before, body)):
                return [f"entry {number} of the audit trail was changed, or one before it is gone"]
            before = entry.mac
        written = int(await self._redis.get(AUDIT_COUNT) or 0)
        if written > number:
            return [f"the audit trail ends after entry {number}, but {written} were written"]
        return []

    async def _texts(self) -> AsyncIterator[tuple[int, bytes]]:
        first = 0
        while page := await self._redis.lrange(AUDIT, first, first + _AT_ONCE - 1):
            for number, text in enumerate(page, start=first + 1):
                yield number, text
            first += len(page)

    def _mac(self, number: int, before: str, body: Mapping[str, Any]) -> str:
        data = json.dumps([number, before, body], sort_keys=True, ensure_ascii=False)
        return self._vault.digest(AUDIT_CHAIN_DIGEST, data.encode(), _MAC_SIZE).hex()


def _entry(text: bytes) -> AuditEntry | None:
    try:
        found = json.loads(text)
        return AuditEntry(
            number=int(found["number"]),
            at=found["at"],
            actor=str(found["actor"]),
            action=str(found["action"]),
            campaign=found["campaign"],
            details=dict(found["details"]),
            mac=str(found["mac"]),
        )
    except (ValueError, TypeError, KeyError):
        return None
