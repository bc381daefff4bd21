"""Batches in Redis: which worker may work on one, and how it moves from state to state."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.domain.batch import WORKED_LANES, Batch, Lane, Unit, WaitCounter
from pipeline.domain.errors import InputError, StaleLeaseError
from pipeline.domain.models import BatchState, ChannelName
from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.codec import CHANNEL_LETTER, COUNTER_FIELD, LANE, LANE_LETTER
from pipeline.store.formats.batch_fields import decode_batch_fields
from pipeline.store.formats.records import DeliveryRecord, parse_record
from pipeline.store.formats.sealed_batch import (
    open_evidence,
    open_links,
    seal_evidence,
    seal_links,
)
from pipeline.store.formats.snapshot import CampaignSnapshot, flag_fields
from pipeline.store.keys import (
    ACTIVE,
    batch_key,
    campaign_key,
    due_key,
    evidence_key,
    links_key,
)
from pipeline.store.lookups import link_digests
from pipeline.store.scripts import Scripts, decode_hash, decode_pairs, server_ms, server_seconds

_FIRST = 100  # held batches of each lane whose reasons are read
_FLAGS = flag_fields()


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


@dataclass(frozen=True, slots=True)
class SuppressedDelivery:
    """A failed or bounced delivery, and why its address is on the suppression list."""

    index: int
    channel: ChannelName
    resend_number: int
    reason: str


class BatchStore:
    """
    Gives batches to workers one at a time under a lease, and writes how far each has got.

    Nothing that is written for a Claim whose lease is lost changes anything.
    """

    def __init__(self, redis: Client, scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._call = scripts.call
        self._vault = vault

    async def pump(
        self,
        *,
        order: int,
        read: int,
        send: int,
        dispatch_seconds: float,
        worker: str = "",
        idle: bool = True,
        spare_slots: int = 0,
    ) -> list[Unit]:
        """
        Dispatch at most that many due batches per lane, fairly over the campaigns.

        Begun batches go first, *spare_slots* of them beyond the number of their lane. A unit that
        nobody claims within *dispatch_seconds* is due again.

        A poison batch, one that workers died of, goes to one named *worker* that is *idle* and
        gets nothing else until it is done (quarantine). A caller without a name gets it like any
        other.
        """
        milliseconds = _ms(dispatch_seconds)
        reply = await self._call(
            "pump", order, read, send, milliseconds, worker, int(idle), spare_slots
        )
        fields = [value.decode() for value in reply]
        return [
            Unit(fields[i], int(fields[i + 1]), LANE[fields[i + 2]], int(fields[i + 3]))
            for i in range(0, len(fields), 4)
        ]

    async def next_due(self) -> float | None:
        """
        Return seconds until the next batch of any active campaign can be worked on.

        None if there is none, or if all wait for a person: those of a paused campaign, and those
        of a lane that is blocked without a probe ahead.
        """
        now = await self._redis.time()
        serials = [serial.decode() for serial in await self._redis.zrange(ACTIVE, 0, -1)]
        async with self._redis.pipeline(transaction=False) as pipe:
            for serial in serials:
                pipe.hmget(campaign_key(serial), _FLAGS)
                for lane in WORKED_LANES:
                    pipe.zrange(due_key(serial, lane), 0, 0, withscores=True)
            replies = iter(await pipe.execute())
        moments = []
        for serial in serials:
            flags = CampaignSnapshot.of_some(serial, _FLAGS, next(replies), server_ms(now))
            for lane in WORKED_LANES:
                moments += [flags.workable_at(lane, score) for _, score in next(replies)]
        soonest = min((moment for moment in moments if moment is not None), default=None)
        return None if soonest is None else soonest / 1000 - server_seconds(now)

    async def claim(self, unit: Unit, *, nonce: str, lease_seconds: float) -> Claim | None:
        """Lease the batch; None if it is leased, or dispatched again since. May be repeated."""
        reply = await self._call(
            "claim",
            *(unit.serial, unit.batch, LANE_LETTER[unit.lane], unit.dispatch_number),
            *(nonce, _ms(lease_seconds)),
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
            batch=decode_batch_fields(decode_pairs(batch)),
            ledger={
                int(index): parse_record(text) for index, text in decode_pairs(ledger).items()
            },
        )

    async def renew(self, leases: Sequence[tuple[Unit, str]], lease_seconds: float) -> list[bool]:
        """Renew all leases in one call; False means that the lease is lost for good."""
        args: list[str | int] = []
        for unit, token in leases:
            args += [unit.serial, unit.batch, LANE_LETTER[unit.lane], token]
        reply = await self._call("renew", _ms(lease_seconds), *args)
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
        reply = await self._call(
            "order_intent", unit.serial, unit.batch, claim.token, po_number, payload_hash, nonce
        )
        if reply[0] == b"stale":
            raise StaleLeaseError(_named(unit))
        return int(reply[1]) if reply[0] == b"ok" else None

    async def order_unsent(self, claim: Claim, nonce: str) -> None:
        """Take back the intent of a POST that certainly never left."""
        unit = claim.unit
        await self._call("order_unsent", unit.serial, unit.batch, claim.token, nonce)

    async def order_placed(self, claim: Claim, order_id: str) -> Claim:
        """Store the order's id; the returned claim keeps the lease, now to read the order."""
        await self._settle("order_placed", claim, order_id)
        unit = replace(claim.unit, lane=Lane.READ)
        order = replace(claim.batch.order, id=order_id, polls=0, odd=0)
        batch = replace(claim.batch, state=BatchState.ORDERED, order=order)
        return replace(claim, unit=unit, batch=batch)

    async def release(
        self, claim: Claim, *, delay: float, counter: WaitCounter | None = None
    ) -> None:
        """
        Give the lease back; the batch is due again in *delay* seconds, counted in *counter*.

        Raises StaleLeaseError.
        """
        await self._settle(
            "settle_wait", claim, LANE_LETTER[claim.unit.lane], _ms(delay), COUNTER_FIELD[counter]
        )

    async def hold(
        self, claim: Claim, reason: str, *, evidence: bytes = b"", missing: int, reread: float
    ) -> None:
        """
        Stop the batch for *reason*, and keep the raw answer, its *evidence*, sealed.

        *missing* is how many links the order will not give. The order is read again in *reread*
        seconds, or never if that is 0. Raises StaleLeaseError.
        """
        unit = claim.unit
        sealed = seal_evidence(self._vault, unit.serial, unit.batch, evidence)
        await self._settle("hold", claim, reason, sealed, missing, _ms(reread))

    async def links_received(self, claim: Claim, links: Sequence[str]) -> int | None:
        """
        Store the links, link k as recipient k's; return None when they are stored.

        Otherwise return the position of a link that was seen in an earlier batch; nothing is
        stored then. Of an erased person's link only the digest is stored. Raises StaleLeaseError.
        """
        unit, known = claim.unit, claim.batch
        while (reply := await self._store(claim, links, known.erased)) == b"forgotten":
            known = await self.read(unit.serial, unit.batch) or known
        if reply == b"stale":
            raise StaleLeaseError(_named(unit))
        return None if reply == b"ok" else int(reply.split()[1])

    async def _store(self, claim: Claim, links: Sequence[str], erased: Collection[int]) -> bytes:
        unit = claim.unit
        kept = ["" if i in erased else link for i, link in enumerate(links)]
        sealed = seal_links(self._vault, unit.serial, unit.batch, kept)
        reply: bytes = await self._call(
            "links_received",
            *(unit.serial, unit.batch, claim.token, sealed, len(erased)),
            link_digests(self._vault, links),
        )
        return reply

    async def distributed(self, claim: Claim, *, delay: float) -> BatchState:
        """
        Give the lease back, and return the state that the ledger gives the batch.

        *delay* is the least wait in seconds that permits or windows ask for. Raises
        StaleLeaseError.
        """
        unit = claim.unit
        reply = await self._call("distributed", unit.serial, unit.batch, claim.token, _ms(delay))
        if not reply:
            raise StaleLeaseError(_named(unit))
        return BatchState(reply.decode())

    async def cancel(self, claim: Claim, note: str = "") -> None:
        """End a batch of a cancelled campaign; *note* says why. Raises StaleLeaseError."""
        await self._settle("cancel_batch", claim, note)

    async def wake(self, serial: str, batch: int, *, complete: bool = False) -> bool:
        """
        Make the batch due now, also while a worker has it in lease; False if it is finished.

        *complete* says that the rewards API has called the order complete; only the metrics
        differ. May be repeated.
        """
        return bool(await self._call("wake", serial, batch, int(complete)))

    async def retry(
        self,
        serial: str,
        batch: int,
        *,
        failed: bool,
        uncertain: bool,
        held: bool,
        adopt: bool,
        suppressed: Collection[SuppressedDelivery] = (),
    ) -> tuple[int, int]:
        """
        Return the deliveries made pending again, and 1 if a held batch was moved on.

        Those *suppressed* stay failed or bounced. Raises InputError for a purged campaign.
        """
        flags = [str(int(flag)) for flag in (failed, uncertain, held, adopt)]
        kept = [
            f"{each.index}{CHANNEL_LETTER[each.channel]}{each.resend_number}"
            for each in suppressed
        ]
        retried, unheld = await self._call("retry_batch", serial, batch, *flags, json.dumps(kept))
        if retried < 0:
            msg = "The people and links of this campaign were purged: nothing can be sent again."
            raise InputError(msg)
        return int(retried), int(unheld)

    async def read(self, serial: str, batch: int) -> Batch | None:
        """Return the batch as it is now; None if there is none."""
        fields = decode_hash(await self._redis.hgetall(batch_key(serial, batch)))
        return decode_batch_fields(fields) if fields else None

    async def links(self, serial: str, batch: int) -> list[str]:
        """Decrypt the links of a batch, in its recipients' order; empty before fulfilment."""
        sealed = await self._redis.get(links_key(serial, batch))
        return open_links(self._vault, serial, batch, sealed)

    async def evidence(self, serial: str, batch: int) -> bytes:
        """Return the raw answer kept with a held batch; empty if there is none."""
        sealed = await self._redis.get(evidence_key(serial, batch))
        return open_evidence(self._vault, serial, batch, sealed)

    async def held_numbers(self, serial: str) -> dict[str, list[int]]:
        """Return the numbers of the first held batches, up to a hundred per lane, by reason."""
        waiting = await self._redis.zrange(due_key(serial, Lane.HELD), 0, _FIRST - 1)
        # An overdue order is still read, and is due later than all others.
        waiting += await self._redis.zrange(due_key(serial, Lane.READ), 0, _FIRST - 1, desc=True)
        numbers = [int(number) for number in waiting]
        async with self._redis.pipeline(transaction=False) as pipe:
            for number in numbers:
                pipe.hget(batch_key(serial, number), "why")
            reasons = await pipe.execute() if numbers else []
        held: dict[str, list[int]] = {}
        for number, reason in sorted(zip(numbers, reasons, strict=True)):
            if reason is not None:
                held.setdefault(reason.decode(), []).append(number)
        return held

    async def _settle(self, verb: str, claim: Claim, *args: str | bytes | int) -> None:
        if not await self._call(verb, claim.unit.serial, claim.unit.batch, claim.token, *args):
            raise StaleLeaseError(_named(claim.unit))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _named(unit: Unit) -> str:
    return f"batch {unit.batch} of campaign {unit.serial}"
