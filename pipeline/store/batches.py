"""Batches in Redis: who may work on one, and how it moves from planned to fulfilled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from redis.asyncio import Redis

from pipeline.batch import Batch, Lane, Unit
from pipeline.errors import StaleLeaseError
from pipeline.models import BatchState
from pipeline.store.records import DeliveryRecord, parse_record
from pipeline.store.scripts import Scripts, flat, texts
from pipeline.vault import Vault

_LINK_BUCKETS = 4096  # 2.4 links each at 10,000 links, 244 at a million: listpacks at both


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to start work on a batch, and the batch as it stood when it was given."""

    unit: Unit
    token: str
    campaign_id: str
    cancelled: bool
    version: str
    epoch_ms: int
    now_ms: int
    batch: Batch
    ledger: Mapping[int, tuple[DeliveryRecord, ...]]


class BatchStore:
    def __init__(self, redis: "Redis", scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._run = scripts.run
        self._vault = vault

    async def pump(
        self, *, order: int, read: int, send: int, dispatch_seconds: float
    ) -> list[Unit]:
        """Choose at most that many due batches per lane, fairly over the campaigns."""
        reply = await self._run("pump", order, read, send, _ms(dispatch_seconds))
        fields = [value.decode() for value in reply]
        return [
            Unit(fields[i], int(fields[i + 1]), Lane(fields[i + 2]), int(fields[i + 3]))
            for i in range(0, len(fields), 4)
        ]

    async def next_due(self) -> float | None:
        """Return seconds until the next batch of any active campaign is due; None if none is."""
        seconds, micros = await self._redis.time()
        async with self._redis.pipeline(transaction=False) as pipe:
            for serial in await self._redis.zrange("cc:active", 0, -1):
                for lane in (Lane.ORDER, Lane.READ, Lane.SEND):
                    pipe.zrange(f"cc:{serial.decode()}:due:{lane}", 0, 0, withscores=True)
            found = await pipe.execute()
        scores = [score for first in found for _, score in first]
        return min(scores) / 1000 - seconds - micros / 1e6 if scores else None

    async def claim(self, unit: Unit, *, nonce: str, lease_seconds: float) -> Claim | None:
        """Take the batch, or return None if it is not this unit's turn; safe to repeat."""
        reply = await self._run(
            "claim", unit.serial, unit.batch, unit.lane, unit.turn, nonce, _ms(lease_seconds)
        )
        if reply is None:
            return None
        token, campaign_id, cancelled, version, epoch, now, batch, ledger = reply
        return Claim(
            unit=unit,
            token=token.decode(),
            campaign_id=campaign_id.decode(),
            cancelled=cancelled == b"1",
            version=version.decode(),
            epoch_ms=int(epoch),
            now_ms=int(now),
            batch=Batch.parse(flat(batch)),
            ledger={int(index): parse_record(text) for index, text in flat(ledger).items()},
        )

    async def renew(self, leases: Sequence[tuple[Unit, str]], lease_seconds: float) -> list[bool]:
        """Renew all leases in one call; False means that the lease is lost for good."""
        args: list[str | int] = []
        for unit, token in leases:
            args += [unit.serial, unit.batch, unit.lane, token]
        reply = await self._run("renew", _ms(lease_seconds), *args)
        return [answer == b"1" for answer in reply]

    async def order_intent(
        self, claim: Claim, *, po_number: str, payload_hash: str, nonce: str
    ) -> int | None:
        """
        Store what is about to be ordered; return how many POSTs were recorded before.

        None means that another PO number or content was stored earlier; it stays. Raises
        StaleLeaseError.
        """
        unit = claim.unit
        reply = await self._run(
            "order_intent", unit.serial, unit.batch, claim.token, po_number, payload_hash, nonce
        )
        if reply[0] == b"stale":
            raise StaleLeaseError(_named(unit))
        return int(reply[1]) if reply[0] == b"ok" else None

    async def order_unsent(self, claim: Claim, nonce: str) -> None:
        """Take back the intent of a POST that certainly never left."""
        unit = claim.unit
        await self._run("order_unsent", unit.serial, unit.batch, claim.token, nonce)

    async def order_placed(self, claim: Claim, order_id: str) -> Claim:
        """Store the order's id; the returned claim keeps the lease, now to read the order."""
        await self._settle("order_placed", claim, order_id)
        unit = replace(claim.unit, lane=Lane.READ)
        batch = replace(claim.batch, state=BatchState.ORDERED, order_id=order_id, polls=0, odd=0)
        return replace(claim, unit=unit, batch=batch)

    async def wait(self, claim: Claim, *, delay: float, counter: str = "") -> None:
        """Give the lease back and come again in *delay* seconds, counting it in *counter*."""
        await self._settle("settle_wait", claim, claim.unit.lane, _ms(delay), counter)

    async def hold(
        self, claim: Claim, reason: str, *, evidence: bytes = b"", missing: int, reread: float
    ) -> None:
        """Stop the batch; *evidence* is kept sealed; read again every *reread* seconds if > 0."""
        unit = claim.unit
        sealed = self._vault.seal(evidence, f"raw:{unit.serial}:{unit.batch}") if evidence else b""
        await self._settle("hold", claim, reason, sealed, missing, _ms(reread))

    async def links_received(self, claim: Claim, links: Sequence[str]) -> int | None:
        """
        Store the links, link k as recipient k's; return None when they are stored.

        Otherwise return the position of a link that was seen in an earlier batch; nothing is
        stored then. Raises StaleLeaseError.
        """
        unit = claim.unit
        sealed = self._vault.seal("\n".join(links).encode(), f"links:{unit.serial}:{unit.batch}")
        args: list[str | bytes | int] = []
        for link in links:
            digest = self._vault.digest("link", link.encode(), 12)
            args += [int.from_bytes(digest[:2]) % _LINK_BUCKETS, digest[2:]]
        reply = await self._run(
            "links_received", unit.serial, unit.batch, claim.token, sealed, *args
        )
        if reply == b"stale":
            raise StaleLeaseError(_named(unit))
        return None if reply == b"ok" else int(reply.split()[1])

    async def distributed(self, claim: Claim, *, delay: float) -> BatchState:
        """Let the ledger say what is left of the batch; raises StaleLeaseError."""
        unit = claim.unit
        reply = await self._run("distributed", unit.serial, unit.batch, claim.token, _ms(delay))
        if not reply:
            raise StaleLeaseError(_named(unit))
        return BatchState(reply.decode())

    async def cancel(self, claim: Claim, note: str = "") -> None:
        await self._settle("cancel_batch", claim, note)

    async def wake(self, serial: str, batch: int) -> bool:
        """Make the batch due now, also while somebody works on it; False if it is finished."""
        return bool(await self._run("wake", serial, batch))

    async def retry(
        self, serial: str, batch: int, *, failed: bool, uncertain: bool, held: bool, adopt: bool
    ) -> tuple[int, int]:
        """Return the deliveries made pending again, and 1 if a held batch was moved on."""
        flags = [str(int(flag)) for flag in (failed, uncertain, held, adopt)]
        moved, freed = await self._run("retry_batch", serial, batch, *flags)
        return int(moved), int(freed)

    async def read(self, serial: str, batch: int) -> Batch | None:
        fields = texts(await self._redis.hgetall(f"cc:{serial}:b:{batch}"))  # type: ignore[misc]
        return Batch.parse(fields) if fields else None

    async def links(self, serial: str, batch: int) -> list[str]:
        """Decrypt the links of a batch, in its recipients' order; empty before fulfilment."""
        sealed = await self._redis.get(f"cc:{serial}:k:{batch}")
        if sealed is None:
            return []
        return self._vault.open(sealed, f"links:{serial}:{batch}").decode().split("\n")

    async def evidence(self, serial: str, batch: int) -> bytes:
        """Return the raw answer kept with a held batch; empty if there is none."""
        sealed = await self._redis.get(f"cc:{serial}:raw:{batch}")
        return b"" if sealed is None else self._vault.open(sealed, f"raw:{serial}:{batch}")

    async def _settle(self, verb: str, claim: Claim, *args: str | bytes | int) -> None:
        if not await self._run(verb, claim.unit.serial, claim.unit.batch, claim.token, *args):
            raise StaleLeaseError(_named(claim.unit))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _named(unit: Unit) -> str:
    return f"batch {unit.batch} of campaign {unit.serial}"
